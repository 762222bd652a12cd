"""Options as Python callers write them, and as SQL takes them; each TypedDict of them is a list."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from difflib import get_close_matches
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from pgqueue.errors import UsageError
from pgqueue.models.tasks import dependency
from pgqueue.models.tasks.backoff import Backoff
from pgqueue.models.values import check_time, parse_priority

if TYPE_CHECKING:
    from pydantic.plugin._schema_validator import PluggableSchemaValidator
    from pydantic_core import SchemaValidator

__all__ = [
    "as_number",
    "as_settings",
    "check_names",
    "check_together",
    "given",
    "sql_names",
    "text_lists",
]

_EITHER = (("run_at", "delay"), ("expires_at", "expires_in"))
_DEDUP = frozenset({"dedup_scope", "dedup_statuses", "dedup_window", "on_conflict"})
_PARSED = {"priority": parse_priority, "depends_on": dependency.as_json}


def text_lists(options: type) -> frozenset[str]:
    """Return the options of a TypedDict that are lists of text."""
    hints = get_type_hints(options).items()
    return frozenset(name for name, hint in hints if Sequence[str] in get_args(hint))


def sql_names(options: type) -> dict[str, str]:
    """Return what SQL calls the options of a TypedDict: durations end in ``_s``, for seconds."""
    return {
        name: f"{name}_s" if timedelta in get_args(hint) else name
        for name, hint in get_type_hints(options).items()
    }


def check_names(noun: str, given: AbstractSet[str], known: Mapping[str, str]) -> None:
    """Raise ``UsageError`` for an option that there is not, with the names most like it."""
    if known.keys() >= given:
        return
    unknown = min(given - known.keys())
    near = get_close_matches(unknown, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(sorted(known))}"
    raise UsageError(f"{noun} has no option {unknown!r}", hint=hint)


def given(noun: str, options: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """Return the options that are not None, or raise ``UsageError`` for one that there is not."""
    check_names(noun, options.keys(), known)
    return {name: value for name, value in options.items() if value is not None}


def check_together(given: AbstractSet[str]) -> None:
    """Raise ``UsageError`` for options that exclude each other, or need one that is missing."""
    for one, other in _EITHER:
        if one in given and other in given:
            message = f"{one} and {other} are both set"
            raise UsageError(message, hint="pass one of them")
    if "dedup_key" not in given and not _DEDUP.isdisjoint(given):
        message = "a task without a dedup_key cannot be kept unique"
        raise UsageError(message, hint="pass a dedup_key, or leave out the other dedup options")


def as_settings(
    options: Mapping[str, Any],
    names: Mapping[str, str],
    lists: AbstractSet[str],
    model: type[BaseModel],
) -> dict[str, Any]:
    """Return options as SQL takes them, or raise ``UsageError``.

    ``lists`` are those of text. ``model`` has the fields that HTTP takes: their bounds hold here.
    """
    for name in lists & options.keys():
        value = options[name]  # a text is a list, too, but not one that anybody means
        if isinstance(value, str) or not all(isinstance(item, str) for item in value or ()):
            raise UsageError(
                f"{name} is not a list of texts: {value!r}", hint='pass ["one", "two"]'
            )
    return {
        names[name]: _PARSED[name](value)
        if name in _PARSED
        else _as_json(name, value, model, names[name])
        for name, value in options.items()
    }


def as_number(name: str, value: Any, model: type[BaseModel], field: str) -> float:
    """Return a number within the bounds of a field, durations in seconds, or ``UsageError``."""
    is_duration = isinstance(value, timedelta) and field != name
    validator = _field(model, field).number
    assert validator is not None
    try:
        number: float = validator.validate_python(value.total_seconds() if is_duration else value)
    except ValidationError as error:
        what = error.errors(include_url=False)[0]["msg"].replace("Input", "it", 1)
        raise UsageError(f"{name} cannot be {value!r}", hint=what) from error
    return number


def _as_json(name: str, value: Any, model: type[BaseModel], field: str) -> object:
    if value is None:
        return None
    wanted = _field(model, field)
    if wanted.number is not None:
        return as_number(name, value, model, field)
    if wanted.is_time:
        check_time(value, name)
        return value.isoformat()
    if isinstance(value, Backoff):
        return value.as_policy()
    return str(value) if isinstance(value, UUID) else value


class _Field(NamedTuple):
    """What a field of a model takes, if that is a number or a time."""

    number: SchemaValidator | PluggableSchemaValidator | None
    is_time: bool


@functools.cache
def _field(model: type[BaseModel], name: str) -> _Field:
    info = model.model_fields.get(name)
    if info is None:
        return _Field(None, is_time=False)
    kinds: set[Any] = set()
    todo: list[Any] = [info.annotation]
    while todo:
        kinds.add(part := todo.pop())
        if get_origin(part) in (Annotated, Union, UnionType):
            todo += get_args(part)
    if not kinds & {int, float}:
        return _Field(None, is_time=AwareDatetime in kinds)
    annotation: Any = info.annotation
    for bound in info.metadata:
        annotation = Annotated[annotation, bound]
    adapter = TypeAdapter[Any](annotation, config=ConfigDict(strict=True))
    return _Field(adapter.validator, is_time=False)
