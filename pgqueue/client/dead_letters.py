"""Dead letters: tasks that failed for good, to look at and to run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from pgqueue.database.queries import query
from pgqueue.errors import UsageError
from pgqueue.models.dead_letter import DeadLetter
from pgqueue.models.values import encode

if TYPE_CHECKING:
    import psycopg

_PAGE = 200


async def find(
    connection: psycopg.AsyncConnection[Any],
    wanted: dict[str, Any],
    limit: int,
    before: DeadLetter | None,
) -> list[DeadLetter]:
    """Give the latest ``limit`` letters that all of ``wanted`` holds for, or fail with it."""
    if limit < 1:
        message = f"limit {limit} is none"
        raise UsageError(message, hint="it is at least 1")
    found: list[DeadLetter] = []
    filter = encode({name: value for name, value in wanted.items() if value is not None}).decode()
    place: dict[str, Any] = {"at": None, "id": None}
    if before is not None:
        place = {"at": before.failed_at, "id": before.id}
    while len(found) < limit:
        cursor = connection.cursor(row_factory=dict_row)
        most = min(_PAGE, limit - len(found))
        await cursor.execute(query("find_dead_letters"), {"filter": filter, "most": most, **place})
        rows = await cursor.fetchall()
        found += [
            DeadLetter(**{**row, "id": str(row["id"])}) for row in rows if row["id"] is not None
        ]
        if rows[0]["place_ended"]:
            break
        place = {"at": rows[0]["place_at"], "id": rows[0]["place_id"]}
    return found
