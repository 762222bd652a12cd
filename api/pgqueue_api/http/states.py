"""Reading a noun that has no settings: one of them by its id, or a page of them, latest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgqueue.errors import NotFound
from pgqueue_api.http.answers import Json, page
from pgqueue_api.http.parameters import decode_id, encode_id

if TYPE_CHECKING:
    from uuid import UUID

    from pgqueue.database.pool import Row
    from pgqueue_api.http.pools import Pools

__all__ = ["States"]


@dataclass(frozen=True, slots=True)
class States:
    """A noun that is read by one query.

    The query takes an ``id`` or its ``filters``, ``before`` and ``max_rows``, and returns the
    ``id`` and ``item`` of each.
    """

    noun: str
    path: str
    query: str
    filters: tuple[str, ...]

    async def row(self, pools: Pools, id: UUID | str, *, written: bool = False) -> Row:
        """Return the row of one; ``NotFound`` if there is none. ``written``: it just was."""
        pool = pools.writes if written else pools.reads
        row = await pool.row(
            self.query, {"id": id, **dict.fromkeys(self.filters), "before": None, "max_rows": 1}
        )
        if row is None:
            raise self.not_found(id)
        return row

    async def get(self, pools: Pools, id: UUID | str, *, written: bool = False) -> Json[Any]:
        """Answer with one."""
        return Json((await self.row(pools, id, written=written))["item"])

    async def created(self, pools: Pools, id: UUID | str) -> Json[Any]:
        """Answer with one that was just created, and its path."""
        row = await self.row(pools, id, written=True)
        return Json(row["item"], Location=f"{self.path}/{id}")

    async def page(
        self, pools: Pools, cursor: str | None, limit: int, **filters: object
    ) -> Json[Any]:
        """Answer with a page of those that match all filters that are not None."""
        rows = await pools.reads.rows(
            self.query, {"id": None, **filters, "before": decode_id(cursor), "max_rows": limit + 1}
        )
        return page(rows, limit, lambda row: encode_id(row["id"]))

    def not_found(self, id: UUID | str) -> NotFound:
        """Return the error for an id that does not exist."""
        return NotFound(f"there is no {self.noun} {id}", hint=f"GET {self.path} lists them")
