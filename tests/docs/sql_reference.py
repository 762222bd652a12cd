"""Writes docs/sql.md, the SQL reference, from the comments in the schema: ``make docs-sql``."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import psycopg

from pgqueue.database.migrations import migrate
from pgqueue.database.queries import SQL
from pgqueue.testing.servers import any_server

__all__ = ["PAGE", "reference"]

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"

_OPENING = """\
# SQL reference

The schema `pgqueue` is the contract: its views and functions stay compatible from one release to
the next. Everything else is in the schema `pgqueue_private` and may change. A function takes part
in the transaction of its caller, and its arguments can be named:
`select pgqueue.pause('email', reason => 'the provider is down')`.

A call that cannot be carried out raises one of these SQLSTATEs, with a hint that says what to do:

| SQLSTATE | |
|---|---|
| `PQ001` | the lease no longer holds, or the task was cancelled |
| `PQ002` | there is no such thing |
| `PQ003` | it is not in a state in which that can be done |
| `PQ004` | a value is out of range |
| `PQ005` | it was changed by somebody else: its ETag is another |

In psql, `\\d+ pgqueue.tasks` and `\\df+ pgqueue.*` show what this page is made from by
`make docs-sql`.
"""

# Views, and folders of sql/functions whose public functions belong to them.
_SECTIONS = {
    "Tasks": ("tasks attempts events checkpoints", "tasks reads"),
    "Queues and limits": ("queues queue_health limits limit_usage", "queues limits"),
    "Batches and dependencies": ("batches dependencies", "groups"),
    "Schedules": ("schedules schedule_slots", "schedules"),
    "Dead letters and operations": (
        "dead_letters dead_letter_policies operations",
        "dead_letters",
    ),
    "Webhooks": ("webhooks webhook_deliveries", "webhooks"),
    "Uploads": ("uploads", "uploads"),
    "Operating": ("workers maintenance notices days audit", "doctor check maintenance time"),
}

_VIEWS = """
select
    c.relname, obj_description(c.oid, 'pg_class'),
    array_agg(array[
        a.attname::text, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
    ] order by a.attnum)
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
where c.relnamespace = 'pgqueue'::regnamespace
group by c.oid, c.relname
"""
_FUNCTIONS = """
select
    p.proname, obj_description(p.oid, 'pg_proc'), pg_get_function_arguments(p.oid),
    pg_get_function_result(p.oid)
from pg_proc as p
where p.pronamespace = 'pgqueue'::regnamespace
"""
_SHORT = {
    "timestamp with time zone": "timestamptz",
    "double precision": "float8",
    "DEFAULT": "=",
    "NULL": "null",
    "ARRAY": "array",
    "TABLE": "table",
}


def reference(connection: psycopg.Connection) -> str:
    """Return the page, from the comments of a database that is migrated."""
    views = {name: rest for name, *rest in connection.execute(_VIEWS).fetchall()}
    functions = {name: rest for name, *rest in connection.execute(_FUNCTIONS).fetchall()}
    page = [_OPENING]
    for title, (shown, folders) in _SECTIONS.items():
        page.append(f"## {title}\n")
        page += [_view(name, *views.pop(name)) for name in shown.split()]
        files = [
            f for folder in folders.split() for f in (SQL / "functions" / folder).glob("*.sql")
        ]
        names = sorted(file.stem for file in files if file.stem in functions)
        page += [_function(name, *functions.pop(name)) for name in names]
    assert not views, f"no section shows {', '.join(views)}"
    assert not functions, f"no section shows {', '.join(functions)}"
    return "\n".join(page)


def _view(name: str, comment: str, columns: list[list[str]]) -> str:
    rows = [f"| `{column}` | {_short(type)} | {_cell(said)} |" for column, type, said in columns]
    return "\n".join(
        [
            f"### View `pgqueue.{name}`\n",
            f"{comment}\n",
            "| column | type | |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _function(name: str, comment: str, arguments: str, result: str) -> str:
    given = re.sub(r"(, )?\bOUT .*", "", arguments)
    returned = ", ".join(re.findall(r"OUT ([^,]*)", arguments)) or result
    call = _short(f"pgqueue.{name}({given}) → {returned}")
    whole = re.sub(r"(?<!,) ", "\N{NO-BREAK SPACE}", call)  # lines break between arguments only
    lines = textwrap.wrap(whole, 110, subsequent_indent="    ", break_long_words=False)
    lines = [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
    return "\n".join([f"### `{name}`\n", "```", *lines, "```\n", *textwrap.wrap(comment, 120), ""])


def _short(text: str) -> str:
    for long, short in _SHORT.items():
        text = re.sub(rf"\b{long}\b", short, text)
    return re.sub(r"::\w+(\[\])?", "", text)


def _cell(text: str) -> str:
    return re.sub(r"([*|])", r"\\\1", text)


def main() -> None:
    """Write the page."""
    with any_server() as server:
        name = server.create()
        migrate(server.dsn(name))
        with psycopg.connect(server.dsn(name)) as connection:
            PAGE.write_text(reference(connection))
        server.drop(name)


if __name__ == "__main__":
    main()
