"""Which arguments handlers take: every shape of signature is bound, or refused with the reason."""

from __future__ import annotations

import functools
import inspect
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Optional, Protocol
from unittest.mock import AsyncMock

import pytest
from pydantic import BaseModel, Field

import pgqueue
from pgqueue import Context, PgQueue, UsageError

if TYPE_CHECKING:
    import absent
    from somewhere import Absent

    from pgqueue import Context as TheContext
    from pgqueue.handlers.task_type import TaskType


class Receipt(BaseModel):
    order: int = Field(gt=0)


class Incomplete(BaseModel):
    part: Absent


@dataclass
class Point:
    x: int


class Reports(Protocol):
    def progress(self, percent: float) -> object: ...


CONTEXT: Any = object()
PAYLOAD = {"order": 3}


def _type(handler: Any) -> TaskType:
    app = PgQueue()
    app.task("t")(handler)
    return app.types["t"]


def as_given(function: Any) -> Any:
    """Wrap a function as decorators do."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def with_session(function: Any) -> Any:
    """Wrap a function of three parameters in one of two."""

    @functools.wraps(function)
    def wrapper(ctx: Context, payload: Any) -> Any:
        return function(ctx, payload, "session")

    return wrapper


class Object:
    """Handlers that are not plain functions."""

    def __call__(self, ctx: Context, payload: Receipt) -> Any:
        return ctx, payload

    def method(self, ctx: Context, payload: Receipt) -> Any:
        return ctx, payload

    @as_given
    def wrapped(self, ctx: Context, payload: Receipt) -> Any:
        return ctx, payload

    @classmethod
    def of_class(cls, ctx: Context, payload: Receipt) -> Any:
        return ctx, payload

    @staticmethod
    def static(ctx: Context, payload: Receipt) -> Any:
        return ctx, payload


# fmt: off
def nothing(): return ()
def only_context(ctx: Context): return ctx
def only_payload(payload: Receipt): return payload
def both(ctx: Context, payload: Receipt): return ctx, payload
def turned(payload: Receipt, ctx: Context): return ctx, payload
def untyped(ctx, payload): return ctx, payload
def by_place(c, p): return c, p
def any_name(job: Context, order: Receipt): return job, order
def positional(ctx: Context, payload: Receipt, /): return ctx, payload
def by_keyword(*, payload: Receipt, ctx: Context): return ctx, payload
def payload_by_keyword(ctx: Context, *, payload: Receipt): return ctx, payload
def optional_payload(ctx: Context, payload: Receipt | None = None): return ctx, payload
def mutable_default(payload: dict = {}): return payload  # noqa: B006
def optional_both(payload: Receipt | None = None, ctx: Context | None = None): return ctx, payload
def optional_context(payload, ctx=None): return ctx, payload
def payload_among_options(ctx: Context, n=9, payload: dict | None = None): return ctx, payload
def options_beside(ctx: Context, payload: Receipt, n=9, *, dry=False): return ctx, payload
def more_beside(ctx: Context, payload: Receipt, *args: Any, **kwargs: Any): return ctx, payload
def optional_annotation(ctx: Context | None, payload: Receipt): return ctx, payload
def old_annotation(ctx: Optional[Context], payload: Receipt): return ctx, payload  # noqa: UP045
def annotated(ctx: Annotated[Context, "why"], payload: Annotated[Receipt, 1]): return ctx, payload
def by_module(job: pgqueue.Context, payload: Receipt): return job, payload
def renamed(ctx: TheContext, payload: Receipt) -> Absent: return ctx, payload
def unresolved_by_name(context: Absent, payload: Receipt): return context, payload
def unresolved_by_text(job: absent.Context | None, payload: Receipt): return job, payload
def protocol(ctx: Reports, payload: Receipt): return ctx, payload
def whatever_context(ctx: object, payload: Receipt): return ctx, payload
def context_of_another_type(context: Receipt): return context
def context_beside_another(ctx: Context, context: Receipt): return ctx, context
async def on_the_loop(ctx: Context, payload: Receipt): return ctx, payload
def with_a_session(ctx: Context, payload: Receipt, session: str): return ctx, payload
def two_and(first: str, ctx: Context, payload: Receipt): return ctx, payload
# fmt: on


BOUND = {
    "all": [
        both, turned, untyped, by_place, any_name, positional, by_keyword, payload_by_keyword,
        optional_payload, optional_both, optional_context, payload_among_options, options_beside,
        more_beside, optional_annotation, old_annotation, annotated, by_module, renamed,
        unresolved_by_name, unresolved_by_text, protocol, whatever_context, context_beside_another,
        as_given(both), as_given(by_keyword), as_given(as_given(turned)),
        with_session(with_a_session), as_given(with_session(with_a_session)),
        functools.partial(two_and, "first"), functools.partial(as_given(two_and), "first"),
        as_given(functools.partial(two_and, "first")),
        functools.partial(options_beside, n=1), functools.partial(with_a_session, session="s"),
        Object(), Object().method, Object().wrapped, Object.of_class, Object.static,
        staticmethod(both), staticmethod(as_given(both)), functools.lru_cache(both),
    ],
    "payload": [
        only_payload, mutable_default, context_of_another_type, as_given(only_payload),
    ],
    "context": [only_context, as_given(only_context)],
    "nothing": [nothing, as_given(nothing), functools.partial(only_payload, payload=1)],
}  # fmt: skip


def _name(handler: Any) -> str:
    return getattr(handler, "__qualname__", type(handler).__name__).replace("functools.", "")


@pytest.mark.parametrize(
    ("taken", "handler"),
    [(taken, handler) for taken, handlers in BOUND.items() for handler in handlers],
    ids=lambda value: value if isinstance(value, str) else _name(value),
)
def test_a_handler_gets_the_context_the_payload_both_or_nothing(taken: str, handler: Any) -> None:
    payload = object()
    expected = {"all": (CONTEXT, payload), "payload": payload, "context": CONTEXT, "nothing": ()}
    got = _type(handler).call(CONTEXT, payload)
    assert got == (1 if isinstance(handler, functools.partial) and taken == "nothing"
                   else expected[taken])  # fmt: skip


TYPED = [
    handler
    for handler in [*BOUND["all"], only_payload, context_of_another_type, on_the_loop]
    if "payload_among" not in _name(handler)
    and handler not in (untyped, by_place, optional_context)
]


@pytest.mark.parametrize("handler", TYPED, ids=_name)
def test_the_payloads_annotation_is_its_schema_whatever_else_cannot_be_resolved(
    handler: Any,
) -> None:
    kind = _type(handler)
    assert kind.decode('{"order": 3}') == Receipt(order=3)
    schema = kind.published()["payload_schema"]
    assert "Receipt" in str(schema)
    with pytest.raises(pgqueue.PayloadError):
        kind.decode('{"order": 0}')


class Method:
    def handler(self, payload: Receipt) -> None: ...
    def with_context(self, ctx: Context, payload: Receipt) -> None: ...


def generator(payload: Receipt) -> Any:
    yield payload


async def async_generator(payload: Receipt) -> Any:
    yield payload


class CallsGenerator:
    def __call__(self, payload: Receipt) -> Any:
        yield payload


REFUSED: list[tuple[Any, str]] = [
    (lambda ctx, payload, more: None, "2 payloads: payload, more"),
    (lambda ctx, context: None, "2 contexts: ctx, context"),
    (with_a_session, "session"),
    (lambda ctx, payload, *, session: None, "session"),
    (lambda *args: None, r"\*args"),
    (lambda *args, **kwargs: None, r"\*args"),
    (lambda ctx, *args: None, r"\*args"),
    (lambda ctx, **payload: None, r"\*\*payload"),
    (lambda ctx, width=1, height=1: None, "width, height"),
    (lambda extra=1, payload=None, /: None, "payload"),
    (Method.handler, "self"),
    (Method.with_context, "self"),
    (Object.__dict__["of_class"], "classmethod"),
    (Receipt, "a class"),
    (Object, "a class"),
    (generator, "yields"),
    (async_generator, "yields"),
    (CallsGenerator(), "yields"),
    (functools.partial(generator), "yields"),
    (AsyncMock(), r"\*args"),
    ("handler", "not callable"),
    (None, "not callable"),
    (max, "does not say which arguments"),
]


@pytest.mark.parametrize(
    ("handler", "why"), REFUSED, ids=lambda value: re.split(" at | id=", str(value))[0][:30]
)
def test_any_other_handler_is_refused_with_the_reason(handler: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        _type(handler)
    assert "'t'" in str(caught.value)
    assert caught.value.hint


def two_models(order: Receipt, point: Point) -> None: ...
def absent_payload(ctx: Context, payload: Absent) -> None: ...
def absent_and_optional(payload: Absent | None = None) -> None: ...
def absent_inside(payload: list[Absent]) -> None: ...
def incomplete(payload: Incomplete) -> None: ...
def no_schema(payload: Object) -> None: ...
def not_an_expression(payload: "1 +") -> None: ...  # noqa: F722


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (two_models, "2 payloads: order, point"),
        (absent_payload, "'Absent'"),
        (absent_and_optional, "Absent"),
        (absent_inside, "Absent"),
        (as_given(absent_payload), "Absent"),
        (functools.partial(absent_payload), "Absent"),
        (incomplete, "Absent"),
        (no_schema, "no schema"),
        (not_an_expression, "1 [+]"),
    ],
    ids=lambda value: value if isinstance(value, str) else _name(value),
)
def test_a_payload_whose_type_cannot_be_read_is_refused(handler: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        _type(handler)
    assert caught.value.hint


def test_a_type_without_a_name_is_refused_with_the_way_to_name_it() -> None:
    app = PgQueue()
    for name in (both, on_the_loop, Object().method):
        with pytest.raises(UsageError, match="no name") as caught:
            app.task(name)  # type: ignore[arg-type]
        assert f'@app.task("{name.__name__}")' in str(caught.value.hint)
    for wrong in ("", "x" * 101, 7, None):
        with suppress(TypeError), pytest.raises(UsageError, match="name"):
            app.task(wrong)(both)  # type: ignore[arg-type]
    assert not app.types


def test_a_handler_is_async_if_calling_it_makes_a_coroutine() -> None:
    class Calls:
        async def __call__(self, ctx: Context) -> None: ...

    for handler in (on_the_loop, functools.partial(functools.partial(on_the_loop)), Calls(),
                    Calls().__call__, staticmethod(on_the_loop)):  # fmt: skip
        assert _type(handler).is_async
    for handler in (both, as_given(on_the_loop), Object()):
        assert not _type(handler).is_async


async def test_a_wrapper_of_an_async_handler_returns_what_can_be_awaited() -> None:
    returned = _type(as_given(on_the_loop)).call(CONTEXT, 1)
    assert inspect.isawaitable(returned)
    assert await returned == (CONTEXT, 1)
