"""The error tree, and which database error becomes which of it."""

import inspect
import re

import psycopg
import pytest

from pgqueue import errors
from pgqueue.database.queries import SQL
from pgqueue.errors import (
    AnswerLost,
    Conflict,
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnavailable,
    LeaseLost,
    NotFound,
    PayloadError,
    PgQueueError,
    SchemaMismatch,
    UsageError,
    translate,
)

ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, PgQueueError)
]


def _of(sqlstate: str) -> psycopg.Error:
    return psycopg.errors.lookup(sqlstate)("the server said no")


class _Raised(psycopg.Error):
    """An error of SQL's own, which psycopg has no class for."""

    sqlstate = "PQ001"


def test_every_error_says_its_code_status_and_default_message() -> None:
    codes = set()
    for kind in ALL:
        error = kind()
        assert error.message == (kind.__doc__ or "").strip() != ""
        assert re.fullmatch(r"[a-z_]+", kind.code)
        assert 400 <= kind.status < 600
        codes.add(kind.code)
    assert len(codes) == len(ALL)


def test_the_tree_drawn_in_the_module_is_the_tree() -> None:
    depths = {
        name: len(indent) // 4
        for indent, name in re.findall(r"^([│ ├└─]*)([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    }
    assert depths | {kind.__name__: len(kind.__mro__) - 4 for kind in ALL} == depths


def test_a_hint_stands_behind_the_message() -> None:
    error = NotFound("there is no task 7", hint="look again")
    assert str(error) == "there is no task 7 (look again)"
    assert (error.message, error.hint) == ("there is no task 7", "look again")
    assert str(NotFound("no")) == "no"


def test_a_payload_error_points_at_each_place() -> None:
    error = PayloadError("no", errors=({"pointer": "/a", "message": "is missing"},))
    assert error.errors == [{"pointer": "/a", "message": "is missing"}]
    assert PayloadError().errors == []
    assert isinstance(error, UsageError)


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("23514", UsageError),
        ("23502", UsageError),
        ("22003", UsageError),
        ("22P02", UsageError),
        ("22P05", UsageError),
        ("22021", UsageError),
        ("22008", UsageError),
        ("54001", UsageError),
        ("42883", SchemaMismatch),
        ("42P01", SchemaMismatch),
        ("3F000", SchemaMismatch),
        ("08006", AnswerLost),
        ("40001", DatabaseBusy),
        ("40P01", DatabaseBusy),
        ("53100", DatabaseFull),
        ("25006", DatabaseUnavailable),
        ("58030", DatabaseUnavailable),
        ("53300", DatabaseUnavailable),
        ("57P01", AnswerLost),
        ("57P02", AnswerLost),
        ("57P03", DatabaseUnavailable),
    ],
)
def test_a_database_error_becomes_the_one_it_stands_for(sqlstate: str, kind: type) -> None:
    assert type(translate(_of(sqlstate))) is kind


@pytest.mark.parametrize("sqlstate", ["42601", "57014", "XX000"])
def test_an_error_that_stands_for_nothing_stays_general(sqlstate: str) -> None:
    assert type(translate(_of(sqlstate))) is PgQueueError


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [("PQ001", LeaseLost), ("PQ002", NotFound), ("PQ003", Conflict), ("PQ004", UsageError)],
)
def test_the_errors_that_sql_raises_are_of_the_tree(
    sqlstate: str, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Raised, "sqlstate", sqlstate)
    assert type(translate(_Raised("no"))) is kind


def test_every_sqlstate_that_sql_raises_is_known() -> None:
    text = "".join(file.read_text() for file in SQL.resolve().rglob("*.sql"))
    raised = set(re.findall(r"errcode = '(\w+)'", text))
    assert raised
    assert raised <= set(errors._BY_SQLSTATE)


def test_every_check_of_the_schema_that_a_caller_can_break_has_words() -> None:
    text = "".join(file.read_text() for file in (SQL / "migrations").glob("*.sql"))
    of_callers = r"(?:task|artifact|checkpoint|queue|schedule|batch|key_limit|upload)"
    checks = set(re.findall(rf"constraint ({of_callers}_\w+) check", text))
    ours = {name for name in checks if name.endswith("_known")} | {"upload_chunk_bound"}
    assert checks - ours == set(errors._CHECKS)


def test_a_connection_that_is_lost_leaves_open_what_was_done() -> None:
    for kind in (psycopg.OperationalError, psycopg.InterfaceError):
        error = translate(kind("the connection is lost\nmore lines"))
        assert type(error) is AnswerLost
        assert "the connection is lost" in error.message
        assert "more lines" not in error.message
        assert error.hint


def test_a_value_that_the_driver_refuses_is_no_lost_connection() -> None:
    """Else a worker would try for ever what can never be sent."""
    assert type(translate(psycopg.DataError("text cannot contain NUL bytes"))) is UsageError
    assert type(translate(psycopg.ProgrammingError("cannot adapt type"))) is PgQueueError
