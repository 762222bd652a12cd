"""The commands for users and keys, and what must be true before a server listens."""

from pathlib import Path

import orjson
import psycopg
import pytest
from click.testing import CliRunner, Result

from pgqueue import credentials
from pgqueue.commands.cli import group
from pgqueue.database.access import prepare_access
from pgqueue.errors import Conflict, DatabaseUnavailable, NotFound, UsageError
from pgqueue.settings import Settings

PASSWORD = "correct horse battery"


@pytest.fixture
def run(database: str):
    runner = CliRunner(env={"PGQUEUE_DATABASE_URL": database})

    def run(*arguments: str, input: str = "") -> Result:
        return runner.invoke(group, arguments, input=input)

    return run


def users(run) -> list[dict]:
    return orjson.loads(run("users", "list", "--json").stdout)


def test_a_user_is_added_listed_disabled_and_enabled(run) -> None:
    added = run(
        "users", "add", "Ada@Example.com", "--admin", "--password-file", "-", input=PASSWORD
    )
    assert added.stdout == "added user 1, ada@example.com: admin\n", added.output
    assert run("users", "add", "bob@example.com", "--no-password", "--name", "Bob").exit_code == 0
    ada, bob = users(run)
    assert (ada["role"], ada["has_password"], bob["role"], bob["name"]) == (
        "admin",
        True,
        "viewer",
        "Bob",
    )
    assert run("users", "disable", "bob@example.com").stdout == "disabled bob@example.com\n"
    listed = run("users", "list").stdout.splitlines()
    assert listed[0].split() == [
        "id",
        "email",
        "role",
        "enabled",
        "has_password",
        "name",
        "created_at",
    ]
    assert listed[2].split()[:6] == ["2", "bob@example.com", "viewer", "no", "no", "Bob"]
    assert run("users", "enable", "bob@example.com").exit_code == 0
    assert users(run)[1]["enabled"]


def test_what_cannot_be_done_to_a_user_says_so(run, tmp_path: Path) -> None:
    run("users", "add", "ada@example.com", "--admin", "--no-password")
    for arguments, error, words in (
        (("add", "ada@example.com", "--no-password"), Conflict, "already"),
        (("add", "ada", "--no-password"), UsageError, "not an e-mail address"),
        (("add", "bob@example.com"), UsageError, "no terminal"),
        (
            ("add", "bob@example.com", "--admin", "--role", "viewer", "--no-password"),
            UsageError,
            "contradict",
        ),
        (("disable", "ada@example.com"), Conflict, "the last admin"),
        (("disable", "eve@example.com"), NotFound, "no user 'eve@example.com'"),
        (("reset", "eve@example.com", "--password-file", "-"), UsageError, "12 to 1,024"),
    ):
        result = run("users", *arguments)
        assert isinstance(result.exception, error), (arguments, result.exception)
        assert words in str(result.exception)


def test_a_password_is_reset(run, database: str) -> None:
    run("users", "add", "ada@example.com", "--admin", "--no-password")
    assert (
        run(
            "users", "reset", "ADA@example.com", "--password-file", "-", input=PASSWORD + "\n"
        ).exit_code
        == 0
    )
    with psycopg.connect(database) as connection:
        (hashed,) = connection.execute(
            "select password_hash from pgqueue_private.app_user"
        ).fetchone()
    assert credentials.password_fits(PASSWORD, hashed)


def test_a_key_is_created_listed_and_revoked(run, database: str) -> None:
    run("users", "add", "ada@example.com", "--admin", "--no-password")
    shop = ("keys", "create", "shop", "--user", "ada@example.com", "--scope", "tasks:write")
    key = run(*shop, "--queue", "mail", "--queue", "pdf", "--days", "90").stdout.strip()
    parsed = credentials.parse_api_key(key)
    assert parsed is not None
    (listed,) = orjson.loads(run("keys", "list", "--json").stdout)
    assert (listed["id"], listed["name"], listed["queues"]) == (parsed.id, "shop", ["mail", "pdf"])
    assert listed["expires_at"] is not None
    assert parsed.secret not in run("keys", "list").stdout
    assert run("keys", "list", "--user", "eve@example.com").exit_code == 1
    assert run("keys", "revoke", key).stdout == f"revoked {parsed.id}\n"
    assert isinstance(run("keys", "revoke", parsed.id).exception, NotFound)
    narrow = run(*shop, "--scope", "metrics", "--queue", "mail")
    assert "only submits" in str(narrow.exception)


def test_the_commands_are_noted_in_the_audit_trail(run, database: str) -> None:
    run("users", "add", "ada@example.com", "--admin", "--no-password")
    create = ("keys", "create", "k", "--user", "ada@example.com", "--scope", "metrics")
    key = run(*create).stdout.strip()
    run("keys", "revoke", key)
    run("users", "disable", "ada@example.com")  # refused, and noted
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "select action, object, via, actor from pgqueue.audit order by id"
        )
        noted = rows.fetchall()
    assert [row[:2] for row in noted] == [
        ("add_user", "ada@example.com"),
        ("create_key", key[4:16]),
        ("revoke_key", key[4:16]),
        ("patch_user", "ada@example.com"),
    ]
    assert {row[2] for row in noted} == {"command"}
    assert all("@" in row[3] for row in noted)


def test_the_commands_wake_the_servers(run, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("listen pgqueue_control")
        run("users", "add", "ada@example.com", "--admin", "--no-password")
        key = run("keys", "create", "k", "--user", "ada@example.com", "--scope", "metrics").stdout
        run("keys", "revoke", key.strip())
        heard = [notify.payload for notify in connection.notifies(timeout=45, stop_after=2)]
    assert heard == ["access", "access"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "queue.example"])
def test_a_server_for_others_needs_a_user(database: str, run, host: str) -> None:
    settings = Settings(database_url=database)
    with pytest.raises(UsageError) as refused:
        prepare_access(database, host, settings)
    assert "`pgqueue users add --admin" in refused.value.hint
    assert "`pgqueue keys create`" in refused.value.hint
    run("users", "add", "ada@example.com", "--admin", "--no-password")
    assert not prepare_access(database, host, settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_a_server_for_this_machine_is_open_until_there_is_a_user(
    database: str, run, host: str
) -> None:
    settings = Settings(database_url=database)
    assert prepare_access(database, host, settings)
    run("users", "add", "ada@example.com", "--admin", "--no-password")
    assert not prepare_access(database, host, settings)


def test_the_first_admin_comes_from_the_environment_once(
    database: str, run, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    settings = Settings(
        database_url=database, admin_email="Ada@example.com", admin_password_file=str(file)
    )
    for _ in range(2):
        assert not prepare_access(database, "0.0.0.0", settings)
    file.unlink()  # from now on it is not read
    assert not prepare_access(database, "0.0.0.0", settings)
    (ada,) = users(run)
    assert (ada["email"], ada["role"], ada["has_password"]) == ("ada@example.com", "admin", True)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "PGQUEUE_ADMIN_PASSWORD_FILE is not"),
        ({"admin_password_file": "/nowhere/at/all"}, "cannot be read"),
        ({"admin_password_file": "/dev/null"}, "12 to 1,024"),
    ],
)
def test_a_first_admin_without_a_password_is_refused(
    database: str, run, more: dict, words: str
) -> None:
    settings = Settings(database_url=database, admin_email="ada@example.com", **more)
    with pytest.raises(UsageError, match=words):
        prepare_access(database, "127.0.0.1", settings)
    assert users(run) == []


def test_a_database_that_does_not_answer_leaves_it_open_to_nobody() -> None:
    dsn = "postgresql://127.0.0.1:9/none"
    with pytest.raises(DatabaseUnavailable):
        prepare_access(dsn, "127.0.0.1", Settings(database_url=dsn))
