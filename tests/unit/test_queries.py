"""Queries go by name: each that code asks for is there, and each that is there is asked for."""

import re

from pgqueue.database.queries import SQL, query

PACKAGES = ("pgqueue", "api/pgqueue_api", "worker/pgqueue_worker", "worker/pgqueue_tasks")
ROOT = SQL.resolve().parent
SOURCES = [file for name in PACKAGES for file in (ROOT / name).rglob("*.py")]
ASKED = re.compile(r'\b(?:query|rows|row|_call|setup=|listen=|prepared)\(?\s*"(\w+)"')
OR_ELSE = re.compile(r'\blisten="\w+" if \w+ else "(\w+)"')
NAMED = re.compile(r"^-- name: (\w+)", re.MULTILINE)


def test_every_query_that_code_asks_for_is_there() -> None:
    texts = [file.read_text() for file in SOURCES]
    asked = {name for text in texts for form in (ASKED, OR_ELSE) for name in form.findall(text)}
    assert {"claim_tasks", "listen_doorbell", "ping", "readiness"} <= asked
    for name in asked:
        assert query(name)


def test_every_query_is_asked_for() -> None:
    # by the product, the library's tools for tests, or our own tests
    sources = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    text = "\n".join(file.read_text() for file in sources)
    named = [n for file in (SQL / "queries").glob("*.sql") for n in NAMED.findall(file.read_text())]
    assert [name for name in named if f'"{name}"' not in text] == []
