"""The rules that let two releases share a schema, held against this tree and the last release."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pgqueue.database.queries import SQL
from tests.figures import Figure
from tests.servers import Server
from tests.upgrades.contract import entangled, misunderstood, outstayed, unnumbered
from tests.upgrades.releases import TOP, Release, last_released, next_one, this_one

BAD = {
    "require-concurrent-index-creation": "create index task_type on pgqueue_private.task (type);",
    "require-concurrent-index-deletion": "drop index pgqueue_private.ready_order;",
    "ban-concurrent-index-creation-in-transaction": (
        "create table t (id bigint); create index concurrently n on pgqueue_private.task (type);"
    ),
    "adding-field-with-default": (
        "alter table pgqueue_private.task add column at timestamptz not null default "
        "clock_timestamp();"
    ),
    "adding-required-field": "alter table pgqueue_private.task add column note text not null;",
    "adding-not-nullable-field": "alter table pgqueue_private.task alter column run_at "
    "set not null;",
    "changing-column-type": "alter table pgqueue_private.task alter column queue type varchar;",
    "renaming-column": "alter table pgqueue_private.task rename column queue to line;",
    "ban-drop-column": "alter table pgqueue_private.task drop column queue;",
    "ban-drop-table": "drop table pgqueue_private.task;",
    "constraint-missing-not-valid": "alter table pgqueue_private.task add constraint c "
    "check (seq > 0);",
    "disallowed-unique-constraint": "alter table pgqueue_private.task add constraint u "
    "unique (seq);",
}


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """The address of a database without a schema."""
    name = server.create()
    yield server.dsn(name)
    server.drop(name)


def migrate(release: Release, dsn: str) -> list[str]:
    """Run the command of a release; give what it says it applied."""
    done = subprocess.run(
        [sys.executable, "-m", "pgqueue", "migrate"],
        env={**release.environment, "PGQUEUE_DATABASE_URL": dsn},
        cwd=release.folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


def squawk(*files: Path) -> str:
    """Lint migrations as `make check` does; give what it says."""
    command = [Path(sys.executable).with_name("squawk"), "--reporter", "gcc", *files]
    done = subprocess.run(command, cwd=TOP, check=False, capture_output=True, text=True)
    assert (done.returncode == 0) == (not done.stdout.strip()), done
    return done.stdout


def test_every_migration_of_this_tree_passes_the_linter() -> None:
    assert squawk(*sorted((SQL / "migrations").glob("*.sql"))) == ""


@pytest.mark.parametrize("rule", BAD)
def test_a_migration_that_would_stop_the_service_is_refused(rule: str, tmp_path: Path) -> None:
    file = tmp_path / "9999_bad.sql"
    file.write_text(f"{BAD[rule]}\n")
    assert f"warning: {rule}" in squawk(file)


def test_a_migration_changes_one_table(tmp_path: Path) -> None:
    assert entangled(this_one(tmp_path / "this")) == []
    release = next_one(tmp_path / "next")
    assert entangled(release) == []
    release.write(
        "migrations/9999_both.sql",
        "alter table task add column a text;\nalter table pgqueue_private.running add "
        "column a text;\n",
    )
    assert entangled(release) == ["9999_both.sql"]


def test_statements_that_run_alone_can_be_repeated() -> None:
    """One that was interrupted is run again from its first statement."""
    for file in (SQL / "migrations").glob("*.sql"):
        text = file.read_text()
        if "\n-- transaction: none\n" in f"\n{text}":
            assert "drop index concurrently if exists" in text or "if not exists" in text, file


def test_calls_of_a_release_are_understood_by_the_schema_of_the_next(
    empty: str, tmp_path: Path
) -> None:
    this, next_ = this_one(tmp_path / "this"), next_one(tmp_path / "next")
    migrate(this, empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        assert misunderstood(this, connection) == []
    assert len(migrate(next_, empty)) == next_.version - this.version
    with psycopg.connect(empty, autocommit=True) as connection:
        assert misunderstood(this, connection) == []
        assert misunderstood(next_, connection) == []


def test_a_call_that_is_no_longer_understood_is_found(empty: str, tmp_path: Path) -> None:
    this = this_one(tmp_path / "this")
    migrate(next_one(tmp_path / "next", kept=False), empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        (found,) = misunderstood(this, connection)
    assert found.startswith("finish_attempts: ")
    assert "function pgqueue_private.finish(unknown, uuid[], bigint[]) does not exist" in found


def test_functions_that_change_have_a_number_and_what_was_kept_is_kept_for_one_release(
    tmp_path: Path,
) -> None:
    this, next_ = this_one(tmp_path / "this"), next_one(tmp_path / "next")
    assert not unnumbered(this, this)
    assert not unnumbered(next_, this)
    assert outstayed(next_, this) == []
    later = Release("later", tmp_path / "later")
    shutil.copytree(next_.folder, later.folder)
    assert outstayed(later, next_) == ["finish"]
    later.change("functions/claims/heartbeat.sql", "^-- Renews", "-- Prolongs")
    assert unnumbered(later, next_)


def test_the_last_release_is_the_newest_tag(tmp_path: Path) -> None:
    top = tmp_path / "top"
    shutil.copytree(this_one(tmp_path / "copy").folder / "pgqueue", top / "pgqueue")
    shutil.move(top / "pgqueue" / "_sql", top / "sql")
    for package in ("api/pgqueue_api", "worker/pgqueue_worker", "worker/pgqueue_tasks", "tests"):
        (top / package).mkdir(parents=True)
        (top / package / "__init__.py").touch()

    def git(*arguments: str) -> None:
        author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", top, *author, *arguments], check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "a release")
    assert last_released(tmp_path / "none", top) is None
    for tag in ("v0.9.0", "v0.10.0"):
        git("tag", tag)
    found = last_released(tmp_path / "found", top)
    assert found is not None
    assert (found.name, found.version) == ("v0.10.0", this_one(tmp_path / "again").version)


def test_this_tree_keeps_what_it_owes_to_the_last_release(
    empty: str, tmp_path: Path, figure: Figure
) -> None:
    """While nothing is released, to itself."""
    this = this_one(tmp_path / "this")
    before = last_released(tmp_path / "before") or this
    found = "nothing is released yet" if before is this else f"{before.name} is understood"
    figure("calls of the last release", found, "all are understood")
    assert not unnumbered(this, before)
    assert before is this or outstayed(this, before) == []
    migrate(before, empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        known = misunderstood(before, connection)
    migrate(this, empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        assert misunderstood(before, connection) == known
