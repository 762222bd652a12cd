"""An app that cannot be loaded is told at once, by its own traceback, before anything else."""

import sys
from pathlib import Path

import pytest
from pgqueue_worker.apps import load

from pgqueue.commands.up import Options, up
from pgqueue.errors import UsageError
from tests.processes import free_port
from tests.worker.conftest import Bench

NOWHERE = "host=127.0.0.1 port=1 dbname=none"


def refused(target: str) -> str:
    with pytest.raises(UsageError) as raised:
        load(target, builtin=False)
    return str(raised.value)


def test_a_module_that_raises_is_told_with_its_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused("tests.worker.broken:app")
    assert said.startswith("importing tests.worker.broken failed:\nTraceback (most recent call")
    assert said.endswith("LookupError: the settings of the shop are not there")
    assert "in connect\n    raise LookupError" in said
    assert "apps.py" not in said
    assert "importlib" not in said


def test_a_module_that_exits_is_refused_as_one_that_raises() -> None:
    assert refused("tests.worker.leaving").endswith("SystemExit: no licence")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def (:\n", "SyntaxError: invalid syntax"),
        ("import nothing_like_it\n", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("x = 1\n", "shop_of_test has no PgQueue named 'app'"),
        ("from pgqueue import PgQueue\nshop = PgQueue()\n", "name it as shop_of_test:shop"),
    ],
)
def test_whatever_is_wrong_with_a_module_is_named(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shop_of_test", raising=False)
    (tmp_path / "shop_of_test.py").write_text(text)
    assert says in refused("shop_of_test:app")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("tests.worker.nothing:app", "there is no module 'tests.worker.nothing'"),
        ("tests.worker.broken:app", "LookupError: the settings of the shop are not there"),
    ],
)
def test_a_worker_tells_of_its_app_before_it_needs_a_database(
    bench: Bench, target: str, says: str
) -> None:
    worker = bench.start("--app", target, wait=False, PGQUEUE_DATABASE_URL=NOWHERE)
    assert worker.wait(45) == 1
    assert says in bench.logs()
    assert "worker_died" not in bench.logs()


def test_a_worker_that_waits_for_its_database_ends_at_once(bench: Bench) -> None:
    worker = bench.start(wait=False, PGQUEUE_DATABASE_URL=NOWHERE, PGQUEUE_GRACE_S="600")
    while "database_unavailable" not in bench.logs():
        assert worker.poll() is None
    assert bench.stop(worker) == 0


def test_up_tells_of_the_app_before_it_makes_a_database(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = Options(port=free_port(), data_dir=tmp_path / "data", app="tests.worker.broken:app")
    assert up(options) == 1
    assert "LookupError: the settings of the shop are not there" in capfd.readouterr().err
    assert not (tmp_path / "data").exists()
