"""The pytest plugin, as a project of its user's has it."""

import tomllib
from pathlib import Path

import pytest

from pgqueue.testing.servers import Server
from tests.testing.project import Project

TOP = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, pgqueue_server: Server) -> Project:
    return Project(tmp_path, pgqueue_server)


SHOP = """
from pgqueue import PgQueue

app = PgQueue("host=/nonexistent")

@app.task("receipt", queue="email")
async def receipt(payload: dict) -> int:
    return payload["order"]

async def buy(order):
    return await app.enqueue("receipt", {"order": order})
"""

TESTS = """
import pytest
from pgqueue.testing import assert_enqueued, drain
import shop

pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

async def test_a_receipt_is_sent(pgqueue_app):
    assert pgqueue_app is shop.app
    id = await shop.buy(7)
    assert_enqueued("receipt", payload={"order": 7}, queue="email")
    assert await drain(pgqueue_app) == {"completed": 1}
    assert (await shop.app.get(id)).result == 7

async def test_each_test_has_a_database_of_its_own(pgqueue_app):
    assert_enqueued("receipt", count=0)
    async with pgqueue_app:
        await shop.buy(8)
    shop.app.task("of this test")(lambda: None)

def test_types_of_a_test_are_forgotten(pgqueue_app, pgqueue_database):
    assert set(pgqueue_app.types) == {"receipt"}
    import psycopg
    with psycopg.connect(pgqueue_database) as connection:
        names = connection.execute("select name from pgqueue_private.task_type").fetchall()
    assert names == [("receipt",)]
"""


def test_the_app_of_a_project_works_on_a_database_of_each_test(project: Project) -> None:
    project.write("shop.py", SHOP)
    project.write("test_shop.py", TESTS)
    project.write("pytest.ini", "[pytest]\npgqueue_app = shop:app\npythonpath = .\n")
    said = project.run()
    assert "3 passed" in said, said


def test_a_setting_that_names_no_app_is_an_error(project: Project) -> None:
    project.write("test_it.py", "def test_it(pgqueue_app): pass")
    project.write("pytest.ini", "[pytest]\npgqueue_app = os:path\n")
    assert "is not a PgQueue" in project.run()


def test_a_run_that_does_not_use_it_imports_nothing_for_it(project: Project) -> None:
    project.write(
        "test_it.py",
        "import sys\n"
        "def test_it():\n"
        "    assert not {'pgqueue', 'psycopg', 'pydantic'} & set(sys.modules)\n",
    )
    said = project.run()
    assert "1 passed" in said, said


def test_the_plugin_is_registered_under_the_name_of_its_module() -> None:
    """Else `-p pytest_pgqueue` beside the entry point would register it twice."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"pytest_pgqueue": "pytest_pgqueue"}
