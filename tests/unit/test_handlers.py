"""Handlers: which arguments they take, how payloads are decoded, what is published."""

import functools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, Field

from pgqueue import Cancel, Context, PayloadError, PgQueue, Retry, UsageError
from pgqueue.handlers.task_type import TaskType


class Receipt(BaseModel):
    order: int = Field(gt=0)
    lines: list[str] = []


@dataclass
class Point:
    x: int


def _type(handler: Any, **options: Any) -> TaskType:
    app = PgQueue()
    app.task("t", **options)(handler)
    return app.types["t"]


CONTEXT: Any = object()


async def both(ctx: Context, payload: Receipt) -> dict: ...
def turned(payload: Receipt, ctx: Context) -> None: ...
def only_payload(payload: Receipt) -> None: ...
def only_context(ctx: Context) -> None: ...
def nothing() -> None: ...
def untyped(ctx, payload): ...
def with_default(ctx: Context, payload: Receipt, extra: int = 7) -> None: ...


@pytest.mark.parametrize(
    ("handler", "taken"),
    [
        (lambda ctx, payload: (ctx, payload), (CONTEXT, 1)),
        (lambda payload, ctx: (payload, ctx), (1, CONTEXT)),
        (lambda c, p: (c, p), (CONTEXT, 1)),
        (lambda payload: payload, 1),
        (lambda order: order, 1),
        (lambda ctx: ctx, CONTEXT),
        (lambda context: context, CONTEXT),
        (lambda: "nothing", "nothing"),
        (lambda ctx, payload, extra=7: (ctx, payload, extra), (CONTEXT, 1, 7)),
        (functools.partial(lambda a, ctx, payload: (a, ctx, payload), "a"), ("a", CONTEXT, 1)),
    ],
)
def test_a_handler_takes_the_context_the_payload_both_or_none(handler: Any, taken: Any) -> None:
    assert _type(handler).call(CONTEXT, 1) == taken


@pytest.mark.parametrize("handler", [both, turned, only_payload, with_default])
def test_the_payloads_annotation_is_its_schema(handler: Any) -> None:
    kind = _type(handler)
    assert kind.decode('{"order": 3}') == Receipt(order=3)
    assert kind.published()["payload_schema"]["required"] == ["order"]


@pytest.mark.parametrize("handler", [nothing, only_context, untyped])
def test_a_handler_without_a_payload_type_takes_any_json(handler: Any) -> None:
    kind = _type(handler)
    assert kind.decode('{"a": [1, null]}') == {"a": [1, None]}
    assert kind.published()["payload_schema"] == {}


def test_a_handler_of_three_arguments_is_refused() -> None:
    with pytest.raises(UsageError, match="2 payloads: payload, more"):
        _type(lambda ctx, payload, more: None)


def test_a_payload_type_without_a_schema_is_refused() -> None:
    class Opaque:
        pass

    def handler(payload: Any) -> None: ...

    handler.__annotations__["payload"] = Opaque
    with pytest.raises(UsageError, match="no schema"):
        _type(handler)


def test_a_payload_that_does_not_fit_points_at_each_place() -> None:
    with pytest.raises(PayloadError) as caught:
        _type(both).decode('{"order": 0, "lines": ["a", 5]}')
    assert [error["pointer"] for error in caught.value.errors] == [
        "/payload/order",
        "/payload/lines/1",
    ]
    assert all(error["message"] for error in caught.value.errors)
    assert caught.value.hint == "2 places do not fit"


@pytest.mark.parametrize("text", ['{"x":1e4300}', "[" * 1030 + "]" * 1030, "{", "NaN", '"\\ud800"'])
def test_a_payload_that_cannot_be_decoded_is_an_error_of_its_task(text: str) -> None:
    for handler in (untyped, both):
        with pytest.raises(PayloadError):
            _type(handler).decode(text)


def test_dataclasses_and_plain_types_are_payloads() -> None:
    def point(payload: Point) -> None: ...
    def numbers(payload: list[int]) -> None: ...

    assert _type(point).decode('{"x": 3}') == Point(3)
    assert _type(numbers).decode("[1, 2]") == [1, 2]
    with pytest.raises(PayloadError):
        _type(numbers).decode('["a"]')


def test_an_async_handler_is_known_however_it_is_wrapped() -> None:
    class Callable:
        async def __call__(self, ctx: Context) -> None: ...

    class Plain:
        def __call__(self, ctx: Context) -> None: ...

    assert _type(both).is_async
    assert _type(functools.partial(functools.partial(both))).is_async
    assert _type(Callable()).is_async
    assert not _type(Plain()).is_async
    assert not _type(turned).is_async


def test_what_is_published_is_what_was_declared() -> None:
    async def send(ctx: Context, payload: Receipt) -> Receipt:
        """Send a receipt.

        More lines stay here.
        """
        return payload

    published = _type(send, queue="email", max_attempts=5, timeout=timedelta(minutes=1)).published()
    assert published["name"] == "t"
    assert (published["queue"], published["max_attempts"]) == ("email", 5)
    assert (published["timeout_s"], published["description"]) == (60, "Send a receipt.")
    assert published["result_schema"]["title"] == "Receipt"


def test_an_outcome_is_no_part_of_the_result_that_is_published() -> None:
    async def handler(ctx: Context, payload: int) -> list[int] | Retry | Cancel: ...

    assert _type(handler).published()["result_schema"] == {
        "type": "array",
        "items": {"type": "integer"},
    }


def test_an_outcome_needs_no_schema() -> None:
    def handler(payload: int) -> Retry | None: ...

    _type(handler).published()


def test_a_handler_without_options_gets_the_defaults() -> None:
    kind = _type(nothing)
    assert (kind.queue, kind.max_attempts, kind.timeout_s) == ("default", None, None)
    assert (kind.backoff, kind.no_retry, kind.description) == (None, (), "")


def test_a_name_belongs_to_one_handler() -> None:
    app = PgQueue()
    app.task("t")(nothing)
    app.task("t", queue="again")(nothing)  # the same handler: a module imported twice
    with pytest.raises(UsageError, match="declared twice"):
        app.task("t")(untyped)


def test_an_app_takes_over_the_types_of_another() -> None:
    app, other, third = PgQueue(), PgQueue(), PgQueue()
    other.task("a")(nothing)
    third.task("a")(untyped)
    app.include(other)
    app.include(other)
    assert set(app.types) == {"a"}
    with pytest.raises(UsageError, match="declared twice"):
        app.include(third)


def test_declaring_a_type_leaves_its_function_alone() -> None:
    assert PgQueue().task("t")(nothing) is nothing
