"""Tables and charts of the results of other tasks, such as `data_aggregation`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from pgqueue import Context
from pgqueue_tasks.errors import InputRefused

from .models import MAX_CELLS, MAX_COLUMNS, ReportPayload, TaskTable

__all__ = ["with_results"]

_MAX_CHARACTERS = (
    1_000_000  # of all cells: a result has at most 256 KiB, but may be asked for often
)


class _Room:
    """What the tables of results may still take; counted before they are built."""

    def __init__(self) -> None:
        self._cells, self._characters = MAX_CELLS, _MAX_CHARACTERS

    def take(self, *, cells: int = 0, characters: int = 0) -> None:
        self._cells -= cells
        self._characters -= characters
        if self._cells < 0:
            raise InputRefused(f"results: more than {MAX_CELLS:,} table cells")
        if self._characters < 0:
            raise InputRefused(f"results: more than {_MAX_CHARACTERS:,} characters")


async def with_results(ctx: Context, payload: ReportPayload) -> ReportPayload:
    """The report with a table, and a chart if asked, for each result that it names.

    Raises InputRefused for a task that it does not depend on, for a result without rows, and for
    more than a report may have.
    """
    if not any(section.results for section in payload.sections):
        return payload
    parents = await ctx.parents
    room = _Room()
    report = payload.model_dump(exclude_unset=True)
    for section, asked in zip(report["sections"], payload.sections, strict=True):
        section.pop("results", None)
        for one in asked.results:
            columns, rows = _rows(one, parents, room)
            table = {"columns": columns, "rows": rows, "caption": one.caption}
            section.setdefault("tables", []).append(table)
            if one.chart is not None:
                section.setdefault("charts", []).append(_chart(one, columns, rows))
    try:
        return ReportPayload.model_validate(report)
    except ValidationError as error:
        place = error.errors(include_input=False, include_url=False)[0]
        where = "/".join(map(str, place["loc"]))
        raise InputRefused(f"the result does not fit: {where}: {place['msg']}") from None


def _rows(
    asked: TaskTable, parents: Sequence[Any], room: _Room
) -> tuple[list[str], list[list[Any]]]:
    if asked.task_id is None:
        found = parents[:1]
    else:
        found = [parent for parent in parents if parent.id == asked.task_id.lower()]
    if not found:
        raise InputRefused(
            f"results: the report does not depend on {asked.task_id or 'a task'}: "
            "name it in depends_on"
        )
    result = found[0].result
    if not isinstance(result, dict) or not isinstance(result.get("rows"), list):
        raise InputRefused(f"results: the result of task {found[0].id} has no rows")
    rows = [row if isinstance(row, dict) else {} for row in result["rows"]]
    columns = _columns(result.get("columns"), rows)
    room.take(cells=len(rows) * len(columns))
    return columns, [[_cell(row.get(name), room) for name in columns] for row in rows]


def _columns(given: Any, rows: list[dict[str, Any]]) -> list[str]:
    """Return the names that a result lists, or else those of its rows."""
    if isinstance(given, list) and given and all(isinstance(name, str) for name in given):
        names = dict.fromkeys(given)
    else:
        names = {}
        for row in rows:
            names.update(dict.fromkeys(row))
            if len(names) > MAX_COLUMNS:
                break
    if len(names) > MAX_COLUMNS:
        raise InputRefused(f"results: a table has at most {MAX_COLUMNS} columns")
    return list(names)


def _cell(value: Any, room: _Room) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    room.take(characters=len(text))
    return text


def _chart(asked: TaskTable, columns: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    assert asked.chart is not None
    numbers = [
        n
        for n in range(1, len(columns))
        if all(isinstance(row[n], int | float | None) for row in rows)
    ]
    return {
        "type": asked.chart,
        "title": asked.caption,
        "labels": [str(row[0])[:80] for row in rows],
        "series": [{"name": columns[n][:80], "values": [row[n] for row in rows]} for n in numbers],
    }
