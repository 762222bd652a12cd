"""The pytest plugin of pgqueue: a migrated database for each test, and an app that works on it.

It is a module beside the package, and imports on use, because every run of pytest loads it and most
do not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgqueue import PgQueue
    from pgqueue.testing.servers import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that names a project's app."""
    parser.addini("pgqueue_app", "the app of the fixture pgqueue_app, as module:name")


@pytest.fixture(scope="session")
def pgqueue_server() -> Iterator[Server]:
    """The PostgreSQL of this run: PGQUEUE_TEST_DATABASE_URL, a container, or the embedded one."""
    from pgqueue.testing.servers import any_server

    with any_server() as server:
        yield server


@pytest.fixture(scope="session")
def pgqueue_template(pgqueue_server: Server) -> Iterator[str]:
    """The name of a migrated database to clone; nobody may be connected to it."""
    from pgqueue.database.migrations import migrate

    name = pgqueue_server.create()
    migrate(pgqueue_server.dsn(name))
    yield name
    pgqueue_server.drop(name)


@pytest.fixture
def pgqueue_database(pgqueue_server: Server, pgqueue_template: str) -> Iterator[str]:
    """The connection string of a migrated database for this test alone."""
    name = pgqueue_server.create(pgqueue_template)
    yield pgqueue_server.dsn(name)
    pgqueue_server.drop(name)


@pytest.fixture
def pgqueue_app(request: pytest.FixtureRequest) -> Iterator[PgQueue]:
    """The app that the pytest setting ``pgqueue_app`` names, on a database for this test alone.

    Without the setting it is an app without types; declare them in the test.
    """
    import pkgutil

    from pgqueue import PgQueue
    from pgqueue.testing import on_database

    named = request.config.getini("pgqueue_app")
    app = pkgutil.resolve_name(named) if named else PgQueue()
    if not isinstance(app, PgQueue):
        raise pytest.UsageError(
            f"pgqueue_app = {named} is not a PgQueue: name an app as module:name"
        )
    with on_database(app, request.getfixturevalue("pgqueue_database")):
        yield app
