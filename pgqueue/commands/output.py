"""How the commands show things: a line for each field that has a value, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pydantic import BaseModel

__all__ = ["show", "table"]


def show(thing: BaseModel, *, as_json: bool) -> None:
    """Print the fields of a thing that have a value, or all of them as JSON."""
    if as_json:
        click.echo(thing.model_dump_json(indent=2))
        return
    shown = {k: v for k, v in thing.model_dump(mode="json").items() if v is not None}
    width = max(map(len, shown))
    for name, value in shown.items():
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        click.echo(f"{name:{width}}  {text}")


def table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool = False
) -> None:
    """Print rows under the names of these columns, or all their fields as JSON."""
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    lines = [list(columns), *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ",".join(value)
    return str(value)
