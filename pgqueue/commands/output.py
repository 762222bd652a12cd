"""How the commands show things: a line for each field that has a value, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import orjson

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["show"]


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
