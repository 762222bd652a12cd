"""Payloads and results as JSON: what was enqueued arrives, and what is published is stored."""

import dataclasses
import enum
import math
from collections import deque
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasGenerator,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    computed_field,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from pgqueue import NewTask, PgQueue, UsageError
from pgqueue.client.enqueueing import task_rows
from pgqueue.handlers.ending import returned
from pgqueue.handlers.isolation import Returned
from pgqueue.handlers.steps import encode_bounded
from pgqueue.handlers.task_type import TaskType
from pgqueue.models.values import encode

T = TypeVar("T")


class Aliased(BaseModel):
    order_id: int = Field(alias="orderId")


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    first_line: Aliased
    all_lines: list[Aliased] = []


class Named(BaseModel):
    model_config = ConfigDict(
        alias_generator=AliasGenerator(serialization_alias=to_camel), validate_by_name=True
    )

    order_id: int


class Choices(BaseModel):
    order_id: int = Field(validation_alias=AliasChoices("orderId", "order_id"))


class Area(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int
    height: int

    @computed_field
    @property
    def area(self) -> int:
        return self.width * self.height


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    known: int


class Embedded(BaseModel):
    numbers: Json[list[int]]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    day: date
    parts: tuple[int, str]


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 2


class Values(BaseModel):
    at: datetime = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    day: date = date(2030, 1, 2)
    clock: time = time(3, 4, 5)
    wait: timedelta = timedelta(days=400, microseconds=1)
    price: Decimal = Decimal("1.10")
    id: UUID = UUID(int=7)
    address: IPv4Address = IPv4Address("10.0.0.1")
    path: PurePosixPath = PurePosixPath("/a/b")
    size: ByteSize = ByteSize(2048)
    color: Color = Color.RED
    level: Level = Level.HIGH
    text: bytes = b"text"
    raw: Base64Bytes = b"AP8="
    numbers: set[int] = {3, 1, 2}
    frozen: frozenset[str] = frozenset("ab")
    queue: deque[int] = deque([1, 2])
    by_day: dict[date, int] = {date(2030, 1, 2): 5}
    by_number: dict[int, Decimal] = {7: Decimal("0.1")}
    maybe: int | None = None
    either: Aliased | Area = Aliased(orderId=5)


class Tree(BaseModel):
    name: str = Field(alias="n")
    children: list["Tree"] = Field(default=[], alias="c")


class Cat(BaseModel):
    kind: Literal["cat"] = Field(default="cat", alias="type")


class Dog(BaseModel):
    kind: Literal["dog"] = Field(default="dog", alias="type")
    barks: bool


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Box(BaseModel, Generic[T]):
    held: T = Field(alias="in")


class Wide(Camel):
    more: int = 5


class Invoice(TypedDict):
    price: Decimal
    due: date


class Point(NamedTuple):
    x: int
    y: Decimal


@dataclasses.dataclass
class Bill:
    total: Decimal
    seal: bytes
    lines: list[Aliased] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    at: datetime


@pydantic_dataclass
class Labelled:
    order_id: Annotated[int, Field(alias="orderId")]


Doubled = Annotated[int, BeforeValidator(len), PlainSerializer(lambda n: "x" * n)]

ALIASED = Aliased(orderId=5)
CAMEL = Camel(firstLine=ALIASED, allLines=[ALIASED])

ROUND_TRIPS: list[tuple[Any, Any]] = [
    (Aliased, ALIASED),
    (list[Aliased], [ALIASED, ALIASED]),
    (dict[str, Aliased], {"a": ALIASED}),
    (tuple[Aliased, int], (ALIASED, 7)),
    (Aliased | None, ALIASED),
    (Aliased | None, None),
    (Camel, CAMEL),
    (Named, Named(order_id=3)),
    (Choices, Choices(order_id=3)),
    (Area, Area(width=2, height=3)),
    (Open, Open(known=1, unknown={"a": [1]})),
    (Embedded, Embedded(numbers="[1, 2]")),
    (Json[list[int]], [1, 2]),
    (Strict, Strict(day=date(2030, 1, 2), parts=(1, "a"))),
    (Values, Values()),
    (Tree, Tree(n="a", c=[Tree(n="b")])),
    (Pet, Dog(barks=True)),
    (list[Pet], [Cat(), Dog(barks=False)]),
    (Box[Aliased], Box[Aliased](**{"in": ALIASED})),
    (RootModel[list[Aliased]], RootModel[list[Aliased]]([ALIASED])),
    (Invoice, Invoice(price=Decimal("1.5"), due=date(2030, 1, 2))),
    (Point, Point(1, Decimal("1.5"))),
    (Bill, Bill(Decimal("1.50"), b"seal", [ALIASED])),
    (list[Bill], [Bill(Decimal("1.50"), b"seal")]),
    (Slotted, Slotted(datetime(2030, 1, 2, tzinfo=UTC))),
    (Labelled, Labelled(orderId=5)),
    (Decimal, Decimal("1.10")),
    (bytes, b"text"),
    (date, date(2030, 1, 2)),
    (timedelta, timedelta(days=1)),
    (set[int], {1, 2}),
    (Color, Color.RED),
    (int | None, None),
    (int, 0),
    (bool, False),
    (str, ""),
    (list[int], []),
    (Any, {"a": [1, None, "x", 1.5, True]}),
    (Any, None),
    (dict, {"a": None}),
]


def _type(annotation: Any) -> TaskType:
    def handler(payload: Any) -> Any: ...

    handler.__annotations__ = {"payload": annotation, "return": annotation}
    app = PgQueue()
    app.task("t")(handler)
    return app.types["t"]


def _stored(value: Any, kind: TaskType | None) -> str:
    """Return the payload as the database gets it."""
    (row,) = task_rows([NewTask("t", value)], {} if kind is None else {"t": kind})
    return orjson.dumps(orjson.loads(encode(row))["payload"]).decode()


@pytest.mark.parametrize(("annotation", "value"), ROUND_TRIPS, ids=lambda value: repr(value)[:40])
def test_a_handler_gets_what_was_enqueued(annotation: Any, value: Any) -> None:
    kind = _type(annotation)
    got = kind.decode(_stored(value, kind))
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (annotation, value)
        for annotation, value in ROUND_TRIPS
        if isinstance(value, BaseModel) or dataclasses.is_dataclass(value)
        if not isinstance(value, Named)  # only its type knows that it reads its fields' names
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_client_without_the_handler_enqueues_models_too(annotation: Any, value: Any) -> None:
    assert _type(annotation).decode(_stored(value, None)) == value


@pytest.mark.parametrize(("annotation", "value"), ROUND_TRIPS, ids=lambda value: repr(value)[:40])
def test_a_result_is_stored_as_its_published_schema_says(annotation: Any, value: Any) -> None:
    kind = _type(annotation)
    ending = returned(value, kind)
    if value is None:
        assert ending.result is None
        return
    assert ending.result is not None, ending.error
    schema = kind.published()["result_schema"]
    if schema is not None:
        jsonschema_rs.validate(schema, orjson.loads(ending.result))


def test_a_subclass_of_the_payloads_model_arrives_as_that_model() -> None:
    kind = _type(Camel)
    wide = Wide(firstLine=ALIASED, allLines=[])
    assert kind.decode(_stored(wide, kind)) == Camel(firstLine=ALIASED)


def test_a_payload_may_be_written_as_its_json() -> None:
    for annotation, json in (
        (Camel, {"firstLine": {"orderId": 5}}),
        (Embedded, {"numbers": "[1]"}),
        (Json[list[int]], "[1]"),
        (Values, {"at": "2030-01-02T03:04:05Z", "price": 5, "color": "red"}),
        (Bill, {"total": "1.5", "seal": "x"}),
        (Invoice, {"price": "1.5", "due": "2030-01-02", "unknown": 1}),
        (Values, {"at": datetime(2030, 1, 2, tzinfo=UTC)}),
    ):
        kind = _type(annotation)
        stored = _stored(json, kind)
        kind.decode(stored)
        if isinstance(json, dict):
            assert orjson.loads(stored).keys() == json.keys()


def test_a_type_that_writes_other_than_it_reads_is_served_by_its_own_adapter() -> None:
    kind = _type(list[Doubled])
    assert _stored([3], kind) == '["xxx"]'


class Login(BaseModel):
    user: str
    password: SecretStr


class Holder(BaseModel):
    anything: Any = None


@dataclasses.dataclass
class Account:
    key: SecretBytes


SECRETS: list[tuple[Any, Any]] = [
    (Login, Login(user="a", password="hunter2")),
    (list[Login], [Login(user="a", password="hunter2")]),
    (Account, Account(SecretBytes(b"hunter2"))),
    (SecretStr, SecretStr("hunter2")),
    (Secret[date], Secret[date](date(2030, 1, 2))),
    (dict, {"a": [SecretStr("hunter2")]}),
    (dict, {"a": Login(user="a", password="hunter2")}),
    (Holder, Holder(anything=(Login(user="a", password="hunter2"),))),
]


@pytest.mark.parametrize(("annotation", "value"), SECRETS, ids=lambda value: repr(value)[:40])
def test_a_secret_is_refused_instead_of_stored_as_asterisks(annotation: Any, value: Any) -> None:
    kind = _type(annotation)
    for types in (kind, None, _type(Any)):
        with pytest.raises(UsageError) as caught:
            _stored(value, types)
        assert "secret" in str(caught.value).lower()
        assert "get_secret_value" in str(caught.value.hint)
        assert "hunter2" not in str(caught.value)
    ending = returned(value, kind)
    assert (ending.outcome, ending.retry) == ("failed", False)
    assert "secret" in ending.error["message"].lower()


def test_a_secret_that_is_written_out_is_the_callers_choice() -> None:
    kind = _type(Login)
    assert kind.decode(_stored({"user": "a", "password": "x"}, kind)).password == SecretStr("x")
    stars = {"user": "**********", "password": "**********"}
    assert orjson.loads(_stored(stars, kind)) == stars


class Measured(BaseModel):
    value: float = Field(alias="v")


@dataclasses.dataclass
class Sample:
    value: float


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_lacks_is_refused_instead_of_stored_as_null(number: float) -> None:
    cases: list[tuple[Any, Any]] = [
        (Any, number),
        (float, number),
        (Any, {"a": [1, {"b": (number, None)}]}),
        (Any, {number: 1}),
        (dict, {"a": {number}}),
        (Measured, Measured(v=number)),
        (list[Measured], [Measured(v=number)]),
        (Sample, Sample(number)),
        (Any, {"a": Measured(v=number)}),
        (Any, [Sample(number)]),
    ]
    for annotation, value in cases:
        kind = _type(annotation)
        for types in (kind, None):
            with pytest.raises(UsageError, match=str(number)) as caught:
                _stored(value, types)
            assert caught.value.hint
        ending = returned(value, kind)
        assert (ending.outcome, ending.retry) == ("failed", False), value
        assert str(number) in ending.error["message"]


def test_what_steps_and_isolated_functions_return_is_held_to_the_same() -> None:
    for wrong in (math.nan, {"a": [math.inf]}, SecretStr("hunter2")):
        with pytest.raises(UsageError):
            encode_bounded(wrong, "the result of a step")
        with pytest.raises(UsageError):
            Returned.of(wrong)
    area = Area(width=2, height=3)
    assert orjson.loads(encode_bounded(area, "a checkpoint")) == {"width": 2, "height": 3}
    assert orjson.loads(encode_bounded(area, "the result", round_trip=False))["area"] == 6


FIELDS: dict[str, tuple[Any, Any]] = {
    "a": (int, st.integers(-(2**63), 2**63 - 1)),
    "b": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "c": (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    "d": (datetime, st.datetimes(timezones=st.just(UTC))),
    "e": (timedelta, st.timedeltas()),
    "f": (str, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    "g": (list[Aliased], st.lists(st.builds(Aliased, orderId=st.integers(0, 9)), max_size=2)),
    "h": (bytes, st.text("abc").map(str.encode)),
    "i": (set[int], st.sets(st.integers(0, 9))),
    "j": (dict[int, date], st.dictionaries(st.integers(0, 9), st.dates())),
    "k": (Bill | None, st.none() | st.builds(Bill, st.just(Decimal(1)), st.just(b""))),
    "l": (Json[list[int]], st.lists(st.integers(0, 9)).map(lambda n: orjson.dumps(n).decode())),
}


@settings(max_examples=60, deadline=None, database=None)
@given(st.data())
def test_any_model_arrives_as_it_was_enqueued(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(FIELDS)), unique=True, min_size=1))
    by_alias = data.draw(st.booleans())
    config = ConfigDict(alias_generator=to_camel if by_alias else None, extra="forbid")
    fields = {f"the_{name}": FIELDS[name][0] for name in names}
    made = {"__annotations__": fields, "model_config": config, "__module__": __name__}
    model = type("Made", (BaseModel,), made)
    values = {
        to_camel(f"the_{n}") if by_alias else f"the_{n}": data.draw(FIELDS[n][1]) for n in names
    }
    value = TypeAdapter(model).validate_python(values)
    kind = _type(model)
    assert kind.decode(_stored(value, kind)) == value
    assert kind.decode(_stored(value, None)) == value
