"""The synchronous client cannot drift from the asynchronous one that it is written from."""

import inspect
from typing import Any

import pytest

from pgqueue import (
    Batches,
    OpenBatch,
    Operations,
    PgQueue,
    Schedules,
    SyncBatches,
    SyncClient,
    SyncOpenBatch,
    SyncOperations,
    SyncSchedules,
    SyncWebhooks,
    Webhooks,
)
from pgqueue.client.app import Client
from pgqueue.client.declarations import Declarations
from tests.unit import sync_client

TWINS = {
    Client: SyncClient,
    Operations: SyncOperations,
    Webhooks: SyncWebhooks,
    Schedules: SyncSchedules,
    Batches: SyncBatches,
    OpenBatch: SyncOpenBatch,
}
# what an annotation of the one is in the other
WORDS = {one.__name__: other.__name__ for one, other in TWINS.items()} | {
    "psycopg.AsyncConnection[Any] | None": "psycopg.Connection[Any] | None"
}


def _public(cls: type) -> dict[str, Any]:
    return {
        name: inspect.getattr_static(cls, name) for name in dir(cls) if not name.startswith("_")
    }


def _surface(member: Any) -> tuple[list[tuple[str, Any, Any, Any]], Any]:
    """Parameters by name, kind, default and annotation, and what is returned."""
    signature = inspect.signature(member.fget if isinstance(member, property) else member)
    words = [
        (one.name, one.kind, one.default, one.annotation) for one in signature.parameters.values()
    ]
    return words, signature.return_annotation


@pytest.mark.parametrize("one", TWINS, ids=lambda cls: cls.__name__)
def test_both_clients_have_the_same_calls(one: type) -> None:
    theirs, ours = _public(one), _public(TWINS[one])
    assert theirs.keys() == ours.keys()
    for name, member in theirs.items():
        parameters, returned = _surface(member)
        expected = [(*rest, WORDS.get(told, told)) for *rest, told in parameters]
        assert _surface(ours[name]) == (expected, WORDS.get(returned, returned)), name
        assert isinstance(member, property) == isinstance(ours[name], property), name
        assert not inspect.iscoroutinefunction(ours[name]), name
        assert ours[name].__doc__, name


def test_what_an_app_adds_to_a_client_is_to_declare() -> None:
    assert _public(PgQueue).keys() - _public(Client).keys() == _public(Declarations).keys()


def test_whatever_is_reached_from_a_client_has_a_twin() -> None:
    reached = {
        _surface(member)[1]
        for cls in TWINS
        for member in _public(cls).values()
        if not inspect.iscoroutinefunction(member)
    }
    assert reached - {"str"} <= WORDS.keys()


def test_the_modules_are_as_the_tool_writes_them() -> None:
    written = sync_client.modules()
    stored = {name: (sync_client.FOLDER / f"{name}.py").read_text() for name in written}
    assert stored == written, "run `make sync-client`"
    by_hand = {"__init__", "bridge"}
    assert {file.stem for file in sync_client.FOLDER.glob("*.py")} == written.keys() | by_hand
