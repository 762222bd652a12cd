"""The types that workers have published, with which the API checks payloads, and queues' defaults.

They are read again when a worker says that it has published some, every few seconds in any case,
and at once when an unknown type is asked for, so that no type is refused by an old list. Requests
that ask at the same time share one reading.
"""

from __future__ import annotations

import asyncio
import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson

from pgqueue import logs
from pgqueue.errors import PayloadError
from pgqueue_api.http.shapes import Shape
from pgqueue_api.problems import UnknownType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgqueue.database.pool import Pool

__all__ = ["Registry", "TaskType"]

_MAX_MESSAGE = 300

_log = logs.get_logger("pgqueue.api")


@dataclass(frozen=True, slots=True)
class TaskType:
    """A published type; ``shape`` is None where its schema cannot be used."""

    name: str
    queue: str
    max_attempts: int | None
    shape: Shape | None
    item: bytes
    """The type as JSON."""

    def check(self, payload: Any, prefix: str = "/payload") -> None:
        """Raise ``PayloadError`` with a pointer to each place unless the payload fits."""
        if self.shape is not None and not self.shape.fits(payload):
            raise PayloadError(
                f"the payload does not fit the schema of {self.name!r}",
                errors=self.shape.errors(payload, prefix),
                hint=f"GET /v1/types/{self.name} shows the schema",
            )


class Registry:
    """The published types, as they were read last."""

    def __init__(self, reads: Pool, every_s: float) -> None:
        self._reads = reads
        self._every_s = every_s
        self._types: dict[str, TaskType] = {}
        self._rows: dict[str, Mapping[str, Any]] = {}
        self.budgets: Mapping[str, int] = {}
        """``max_attempts`` of the queues that set it."""
        self._read_at = -math.inf
        self._reading = asyncio.Lock()
        self._stale = asyncio.Event()

    def known(self, name: str) -> TaskType | None:
        """Return a type if it is known already."""
        return self._types.get(name)

    async def find(self, name: str, asked_at: float | None = None) -> TaskType:
        """Return a type, or raise ``UnknownType`` if a reading after ``asked_at`` has none.

        ``asked_at`` is a time of the event loop: of a request that asks for many. The default is
        now.
        """
        found = self._types.get(name)
        if found is None:
            await self.renew(asked_at)
            found = self._types.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self._types, n=3, cutoff=0.5)
            raise UnknownType(
                f"no worker has published a type {name[:100]!r}",
                hint=f"did you mean {', '.join(near)}?"
                if near
                else "start a worker that knows it, or see GET /v1/types",
                errors=[{"pointer": "/type", "message": f"nearest: {other}"} for other in near],
            )
        return found

    async def all(self) -> list[TaskType]:
        """Return all types, by name, as they are now."""
        await self.renew()
        return list(self._types.values())

    async def renew(self, asked_at: float | None = None) -> None:
        """Read all again, unless a reading began after ``asked_at`` (the default is now)."""
        asked_at = asyncio.get_running_loop().time() if asked_at is None else asked_at
        async with self._reading:
            if self._read_at < asked_at:
                await self._load()

    def expire(self) -> None:
        """Have the list read again soon."""
        self._stale.set()

    async def keep_fresh(self) -> None:
        """Read the list again after each notification of a change, and every few seconds."""
        while True:
            try:
                async with asyncio.timeout(self._every_s):
                    await self._stale.wait()
            except TimeoutError:
                pass
            self._stale.clear()
            try:
                await self.renew()
            except Exception as error:  # noqa: BLE001  a loop of the process: it must go on
                _log.debug("types_not_read", error=str(error))

    async def _load(self) -> None:
        started = asyncio.get_running_loop().time()
        rows = await self._reads.rows("known_types")
        budgets = await self._reads.rows("queue_budgets")
        types: dict[str, TaskType] = {}
        for row in rows:
            name = row["name"]
            known = self._types.get(name)
            types[name] = known if known and self._rows.get(name) == row else _type_of(row)
        self._types = types
        self.budgets = {row["name"]: row["max_attempts"] for row in budgets}
        self._rows = {row["name"]: row for row in rows}
        self._read_at = started


def _type_of(row: Mapping[str, Any]) -> TaskType:
    shape = None
    try:
        shape = Shape(orjson.loads(row["payload_schema"]))
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        # the worker checks as well: a schema that this library cannot read stops nobody
        _log.warning("schema_unusable", type=row["name"], error=str(error)[:_MAX_MESSAGE])
    item = orjson.dumps(
        {
            **row,
            "retry": orjson.Fragment(row["retry"] or "null"),
            "payload_schema": orjson.Fragment(row["payload_schema"]),
            "result_schema": orjson.Fragment(row["result_schema"] or "null"),
        }
    )
    return TaskType(row["name"], row["queue"], row["max_attempts"], shape, item)
