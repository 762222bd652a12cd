"""``pgqueue doctor``: finds problems of the service, and says how to fix them."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import orjson

from pgqueue.commands.address import address, data_dir_option
from pgqueue.database import migrations
from pgqueue.database.connection import connected, translated
from pgqueue.database.queries import query
from pgqueue.errors import DatabaseUnavailable, PgQueueError, SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

__all__ = ["Finding", "command", "examine"]

_LOOKS = 5
_SKEW_S = 1.0
_LIMITS = {"statement_ms": "10000", "lock_ms": "1000", "read_only": False}
_MARKS = {"ok": "ok", "warning": "warn", "error": "ERROR"}

# name of the query → the topics it examines
_CONCERNS: dict[str, tuple[str, ...]] = {
    "examine_settings": ("settings",),
    "examine_days": ("partitions", "retention"),
    "examine_maintenance": ("maintenance",),
    "examine_vacuum": ("autovacuum", "bloat"),
    "examine_holders": ("horizon",),
    "examine_locks": ("locks",),
    "examine_waiting": ("waiting",),
}

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about a topic, and how to fix it; both are None if all is well.

    A finding of level ok needs nobody: a note.
    """

    topic: str
    level: Level
    finding: str | None = None
    advice: str | None = None


def examine(dsn: str, *, now: Callable[[], float] = time.time) -> list[Finding]:
    """Examine every topic, in bounded time, and return one or more findings for each.

    ``now`` is this machine's clock, in seconds since 1970. A database that does not answer, or
    lacks our schema, is a finding, too.
    """
    try:
        with connected(dsn, "pgqueue doctor") as connection:
            return _examine(connection, now)
    except DatabaseUnavailable as error:
        return [Finding("database", "error", error.message, error.hint)]


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="print the findings as JSON")
@data_dir_option
def command(*, as_json: bool, data_dir: Path | None) -> None:
    """Find problems, and say how to fix them.

    The exit status is 0 if all is well, 1 if there are warnings, 2 if there are errors.
    """
    findings = examine(address(data_dir))
    if as_json:
        text = orjson.dumps([asdict(one) for one in findings], option=orjson.OPT_INDENT_2)
        click.echo(text.decode())
    else:
        for one in findings:
            click.echo(f"{_MARKS[one.level]:5}  {one.topic:11}  {one.finding or ''}".rstrip())
            if one.advice:
                click.echo(f"{'':20}→ {one.advice}")
    levels = {one.level for one in findings}
    raise SystemExit(2 if "error" in levels else 1 if "warning" in levels else 0)


def _examine(connection: psycopg.Connection[Any], now: Callable[[], float]) -> list[Finding]:
    schema = _schema(connection)
    if schema.level == "error":
        return [schema]
    found = [_clocks(connection, now)] + [
        finding for name, topics in _CONCERNS.items() for finding in _look(connection, name, topics)
    ]
    order = ["clock", *(topic for topics in _CONCERNS.values() for topic in topics)]
    found = [finding for finding in found if finding.finding]
    told = {finding.topic for finding in found}
    found += [Finding(topic, "ok") for topic in order if topic not in told]
    return [schema, *sorted(found, key=lambda finding: order.index(finding.topic))]


def _look(connection: psycopg.Connection[Any], name: str, topics: tuple[str, ...]) -> list[Finding]:
    """Examine one concern; a failure to do so is a finding and does not stop the others."""
    try:
        with translated(), connection.transaction():
            connection.execute(query("bound_call"), _LIMITS)
            return [Finding(*row) for row in connection.execute(query(name)).fetchall()]
    except PgQueueError as error:
        if isinstance(error, DatabaseUnavailable) and not isinstance(error, SchemaMismatch):
            raise
        advice = "check who holds locks, and whether PostgreSQL is overloaded"
        return [Finding(topics[0], "error", f"it cannot be examined: {error.message}", advice)]


def _schema(connection: psycopg.Connection[Any]) -> Finding:
    """Compare the version of the schema, its functions and its views with those of this code."""
    try:
        with translated():
            row = connection.execute(query("schema_version")).fetchone()
            assert row is not None
            migrations.check(*row)
            ((digest,),) = connection.execute(query("schema_digest")).fetchall()
    except SchemaMismatch as error:
        return Finding("schema", "error", error.message, error.hint)
    if row[0] == migrations.code_version() and digest != migrations.digest():
        return Finding(
            "schema",
            "warning",
            "the functions and views in the database differ from those of this code",
            "run `pgqueue migrate`, or upgrade this machine to the code that migrated it",
        )
    return Finding("schema", "ok")


def _clocks(connection: psycopg.Connection[Any], now: Callable[[], float]) -> Finding:
    """Compare this machine's clock with the server's, by the fastest of several round trips."""
    looks = []
    for _ in range(_LOOKS):
        before, started = now(), time.monotonic()
        row = connection.execute(query("read_clock")).fetchone()
        took = time.monotonic() - started
        assert row is not None
        looks.append((took, before + took / 2 - row[0]))
    took, skew = min(looks)
    if abs(skew) - took / 2 <= _SKEW_S:
        return Finding("clock", "ok")
    ahead = "ahead of" if skew > 0 else "behind"
    return Finding(
        "clock",
        "warning",
        f"this machine's clock is {abs(skew):.1f} s {ahead} the server's",
        "run NTP on both: tasks have times by the server's clock, logs by that of this machine",
    )
