"""The app whose handlers return and raise what nobody should: on the loop, in a thread, alone."""

import asyncio
import datetime as dt
import decimal
from collections.abc import Callable, Iterator

from pydantic import BaseModel, field_validator, model_serializer

from pgqueue import Context, PgQueue, Retry, Snooze
from tests.worker import handlers

app = PgQueue()
app.include(handlers.app)


class Rude:
    """Has an error for everybody who asks."""

    def __str__(self) -> str:
        raise RuntimeError("no str")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __reduce__(self) -> str:
        raise RuntimeError("no pickle")

    def __hash__(self) -> int:
        return 1


class Liar:
    @property
    def __class__(self) -> type:
        raise RuntimeError("no class")


class Order(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def look(cls, number: int) -> int:
        if number == 13:
            raise LookupError("a validator's own error")
        if number == 14:
            raise SystemExit(3)
        return number


class Unserialisable(BaseModel):
    @model_serializer
    def to_json(self) -> dict:
        raise SystemExit(3)


class RudeError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no str")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class DeadlyError(Exception):
    """Takes down whoever reads it and expects no more than an Exception."""

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth - 1):
        value = [value]
    return value


def cyclic() -> list:
    value: list = []
    value.append(value)
    return value


def endless() -> Iterator[int]:
    while True:
        yield 1


STORED: dict[str, Callable[[], object]] = {
    "a decimal of 4,300 digits": lambda: decimal.Decimal("1e4300"),
    "a set": lambda: {1, 2},
    "a time": lambda: dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
    "262,144 bytes": lambda: "x" * 262_142,
}
"""What is not JSON, or only just, and is stored all the same."""

RETURNED: dict[str, Callable[[], object]] = {
    "a NUL": lambda: "a\0b",
    "a NUL in a key": lambda: {"a\0": 1},
    "a lone surrogate": lambda: {"x": ["\ud800"]},
    "NaN": lambda: float("nan"),
    "Infinity": lambda: {"x": float("inf")},
    "an int of 10,000 digits": lambda: 10**9_999,
    "1,000 levels": lambda: nested(1_000),
    "100,000 levels": lambda: nested(100_000),
    "itself": cyclic,
    "256 KiB + 1": lambda: "x" * (262_144 - 1),
    "100 MiB": lambda: "x" * 100 * 1024**2,
    "bytes": lambda: b"\xff",
    "an iterator without end": endless,
    "an object with errors for all who ask": Rude,
    "a set of such": lambda: {Rude(), Rude()},
    "such as a key": lambda: {Rude(): 1},
    "an object that hides its class": Liar,
    "a model that ends the process": Unserialisable,
    "a retry for no reason that can be read": lambda: Retry(reason=Rude()),
    "a retry at no time": lambda: Retry(after="soon"),
    "a snooze until no time": lambda: Snooze(until="later"),
}
"""What cannot be stored: the task fails, and says why."""


def chained(length: int) -> Exception:
    error = ValueError("the last")
    for n in range(length):
        cause, error = error, ValueError(f"cause {n}")
        error.__cause__ = cause
    return error


def grouped(depth: int) -> BaseException:
    error: Exception = ValueError("the innermost")
    for n in range(depth):
        error = ExceptionGroup(f"level {n}", [error])
    return error


def own_cause() -> Exception:
    error = ValueError("its own cause")
    error.__cause__ = error.__context__ = error
    return error


def noted() -> Exception:
    error = ValueError("noted")
    error.__notes__ = [Rude(), 1]
    return error


RAISED: dict[str, Callable[[], BaseException]] = {
    "a NUL": lambda: ValueError("a\0b"),
    "a lone surrogate": lambda: ValueError("\ud800"),
    "an error that cannot be read": RudeError,
    "an error that ends who reads it": DeadlyError,
    "an error about an object that cannot be read": lambda: ValueError(Rude()),
    "a message of 10 MiB": lambda: ValueError("y" * 10 * 1024**2),
    "a type of 1 MiB": lambda: type("E" * 1024**2, (Exception,), {})("named"),
    "1,000 groups, one in the other": lambda: grouped(1_000),
    "a group with an interrupt": lambda: BaseExceptionGroup("g", [KeyboardInterrupt()]),
    "10,000 causes": lambda: chained(10_000),
    "its own cause": own_cause,
    "notes that cannot be read": noted,
    "SystemExit": lambda: SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "StopIteration": lambda: StopIteration("next"),
    "StopAsyncIteration": StopAsyncIteration,
    "CancelledError": asyncio.CancelledError,
    "RecursionError": RecursionError,
    "MemoryError": MemoryError,
}


def misbehave(payload: dict) -> object:
    if "raises" in payload:
        error = RAISED[payload["raises"]]()
        raise error
    return {**STORED, **RETURNED}[payload["returns"]]()


@app.task("hostile_loop", max_attempts=1)
async def hostile_loop(ctx: Context, payload: dict) -> object:
    return misbehave(payload)


@app.task("hostile_thread", max_attempts=1)
def hostile_thread(ctx: Context, payload: dict) -> object:
    return misbehave(payload)


@app.task("hostile_process", max_attempts=1, isolation="process")
def hostile_process(ctx: Context, payload: dict) -> object:
    return misbehave(payload)


@app.task("hostile_process_loop", max_attempts=1, isolation="process")
async def hostile_process_loop(ctx: Context, payload: dict) -> object:
    return misbehave(payload)


@app.task("order_loop", max_attempts=1)
async def order_loop(ctx: Context, payload: Order) -> str:
    return str(payload.number)


@app.task("order_thread", max_attempts=1)
def order_thread(ctx: Context, payload: Order) -> str:
    return str(payload.number)


@app.task("order_process", max_attempts=1, isolation="process")
def order_process(ctx: Context, payload: Order) -> str:
    return str(payload.number)


@app.task("hostile_future", max_attempts=1)
async def hostile_future(ctx: Context, payload: dict) -> object:
    """Await what another thread has raised: some errors close every coroutine on their way."""

    def fail() -> None:
        raise GeneratorExit

    return await asyncio.to_thread(fail)
