"""Read, put, patch and delete of the small nouns, each change by the version that was read.

A version is an ETag. A client that names it in If-Match overwrites nothing that it has not seen;
without If-Match the change is made in any version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import orjson

from pgqueue.errors import NotFound
from pgqueue_api.http.answers import Json
from pgqueue_api.http.bodies import whole
from pgqueue_api.http.preconditions import stale, versions_in

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pgqueue.database.pool import Pool, Row
    from pgqueue_api.http.pools import Pools

__all__ = ["Editable"]


@dataclass(frozen=True, slots=True)
class Editable:
    """A noun that is edited over HTTP, by the names of its queries.

    ``read`` returns ``item`` and ``version`` for a key; ``patch`` takes ``settings`` and
    ``versions`` beside it and returns the new ``version``, or null where ``versions`` has not the
    one that is there; ``delete`` takes ``versions`` and returns whether it ``deleted``.
    """

    noun: str
    path: str
    read: str
    patch_query: str
    delete_query: str = ""
    key: str = "name"

    async def get(self, pools: Pools, key: object) -> Json[Any]:
        """Return it as it is; the ETag names its version."""
        return self.answer(await self._row(pools.reads, key))

    async def put(
        self, pools: Pools, key: object, settings: BaseModel, if_match: str | None
    ) -> Json[Any]:
        """Replace all settings, or create it: settings that are left out are unset."""
        versions = versions_in(if_match)
        known = await self._find(pools.writes, key)
        if known is None and versions is not None:
            raise stale(self._named(key))
        if not await self._patch(pools, key, settings_text(settings), versions):
            raise stale(self._named(key))
        row = await self._row(pools.writes, key)
        if known is not None:
            return self.answer(row)
        return self.answer(row, status=201, Location=f"{self.path}/{quote(str(key), safe='')}")

    async def patch(
        self, pools: Pools, key: object, settings: BaseModel, if_match: str | None
    ) -> Json[Any]:
        """Change what is given; null removes a setting."""
        await self._row(pools.writes, key)
        text = settings_text(settings, partial=True)
        if not await self._patch(pools, key, text, versions_in(if_match)):
            raise stale(self._named(key))
        return self.answer(await self._row(pools.writes, key))

    async def delete(self, pools: Pools, key: object, if_match: str | None) -> None:
        """Delete it."""
        await self._row(pools.writes, key)
        versions = versions_in(if_match)
        row = await pools.writes.row(
            self.delete_query, {self.key: key, "versions": None if versions == "*" else versions}
        )
        if row is None or not row["deleted"]:
            raise self.not_found(key) if versions is None else stale(self._named(key))

    def answer(self, row: Row, *, status: int | None = None, **headers: str) -> Json[Any]:
        """Answer with a row of ``read``; the ETag names its version."""
        return Json(row["item"], status=status, ETag=f'"{row["version"]}"', **headers)

    def not_found(self, key: object) -> NotFound:
        """Return the error for a key that does not exist."""
        return NotFound(f"there is no {self._named(key)}", hint=f"GET {self.path} lists them")

    async def _patch(
        self,
        pools: Pools,
        key: object,
        settings: str,
        versions: list[int] | Literal["*"] | None,
    ) -> bool:
        row = await pools.writes.row(
            self.patch_query,
            {
                self.key: key,
                "settings": settings,
                "versions": None if versions == "*" else versions,
            },
        )
        return row is not None and row["version"] is not None

    async def _row(self, pool: Pool, key: object) -> Row:
        row = await self._find(pool, key)
        if row is None:
            raise self.not_found(key)
        return row

    async def _find(self, pool: Pool, key: object) -> Row | None:
        # after a write on the writing side: a replica for reads may be a moment behind
        return await pool.row(self.read, {self.key: key})

    def _named(self, key: object) -> str:
        return f"{self.noun} {str(key)[:255]!r}"


def settings_text(settings: BaseModel, *, partial: bool = False) -> str:
    """Return settings as JSON; ``partial``: only those that were given."""
    given = settings.model_dump(mode="json", exclude_unset=partial)
    return orjson.dumps(whole(given)).decode()
