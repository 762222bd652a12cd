"""The task that sends one webhook: one try for each attempt, and each try is in the log."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel

from pgqueue import Backoff, Cancel, Context, PgQueue, Retry
from pgqueue.database.link import Database
from pgqueue.models.webhook import DELIVERY_TYPE, QUEUE
from pgqueue_worker.outbound import Allowed, Answer, Outbound, OutboundError
from pgqueue_worker.webhooks.signing import signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgqueue.settings import Settings

__all__ = ["WAITS_S", "Deliverer", "delivering_app", "retry_after_s"]

WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""The pauses between tries, up to a fifth longer each: the eighth comes after some 28 hours."""

_LONGEST_S = 86_400.0
_LOGGED_BYTES = 1024
_TIMEOUT_S = 30
_CONNECTIONS = 8


class Delivery(BaseModel):
    """The payload of the task. What is sent is in the delivery, so that no secret is here."""

    delivery_id: str


def delivering_app(dsn: str, settings: Settings) -> PgQueue:
    """Give the app whose only type sends webhooks."""
    app = PgQueue(dsn, settings=settings)
    deliverer = Deliverer(dsn, Outbound(Allowed.parse(settings.outbound_allow_hosts)))
    app.task(
        DELIVERY_TYPE,
        queue=QUEUE,
        timeout=_TIMEOUT_S,
        backoff=Backoff("fixed", base=WAITS_S[0]),  # of what fails here: the database
        description="Send a webhook.",
    )(deliverer.deliver)
    return app


class Deliverer:
    """Sends webhooks, any number at once."""

    def __init__(self, dsn: str, outbound: Outbound) -> None:
        self._outbound = outbound
        self._database = Database(dsn, application_name="pgqueue webhooks", max_size=_CONNECTIONS)
        self._opening = asyncio.Lock()
        self._opened = False
        self._agent = f"pgqueue/{version('pgqueue')}"

    async def deliver(self, ctx: Context, payload: Delivery) -> dict[str, Any] | Retry | Cancel:
        """Try once; what is left of the schedule is in the attempt."""
        id = payload.delivery_id
        request = await self._row("webhook_request", id=id)
        assert request is not None
        match request["verdict"]:
            case "gone":
                return Cancel("there is no such delivery any more")
            case "delivered":  # by an attempt that died before it could say so
                return {"delivered": True}
            case "disabled":
                await self._record(id, "cancelled", None)
                return Cancel("its webhook is disabled or deleted")
        body = request["body"].encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._agent,
            **signed(id, request["timestamp"], body, request["secrets"]),
        }
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await self._outbound.request(
                "POST", request["url"], headers=headers, content=body
            )
        except OutboundError as error:
            tried = {"error": str(error), "duration_s": round(loop.time() - began, 3)}
            return await self._failed(ctx, id, tried, 0)
        return await self._answered(ctx, id, answer)

    async def _answered(
        self, ctx: Context, id: str, answer: Answer
    ) -> dict[str, Any] | Retry | Cancel:
        text = answer.body[:_LOGGED_BYTES].decode(errors="replace").replace("\0", "\ufffd")
        tried: dict[str, Any] = {
            "response_status": answer.status,
            "duration_s": round(answer.took_s, 3),
            "response": text,
        }
        if 200 <= answer.status < 300:
            await self._record(id, "delivered", tried)
            return {"delivered": True, "response_status": answer.status}
        if answer.status == HTTPStatus.GONE:
            tried["error"] = "the receiver wants no more"
            await self._record(id, "failed", tried, gone=True)
            return Cancel("the receiver answered 410 Gone")
        tried["error"] = f"the receiver answered {answer.status}"
        return await self._failed(ctx, id, tried, retry_after_s(answer.headers))

    async def _failed(
        self, ctx: Context, id: str, tried: dict[str, Any], at_least_s: float
    ) -> Retry:
        left = ctx.max_attempts - ctx.attempt
        await self._record(id, "pending" if left else "failed", tried)
        usual_s = WAITS_S[max(0, len(WAITS_S) - left) if left else -1]
        wait_s = usual_s * (1 + random.random() / 5)  # noqa: S311  spread, not secrecy
        return Retry(after=max(wait_s, at_least_s), reason=tried["error"])

    async def _record(
        self, id: str, status: str, tried: dict[str, Any] | None, *, gone: bool = False
    ) -> None:
        text = None if tried is None else orjson.dumps(tried).decode()
        await self._row("record_delivery", id=id, status=status, try_=text, gone=gone)

    async def _row(self, name: str, /, **parameters: Any) -> dict[str, Any] | None:
        async with self._opening:
            if not self._opened:
                await self._database.open()
                self._opened = True
        return await self._database.row(name, parameters)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Give the seconds that ``Retry-After`` asks for, a day at most; 0 where it asks for none.

    It is a number of seconds or a date, which is told by the ``Date`` of the same answer: by the
    clock that wrote both. Without that it asks for none, for ours may be wrong.
    """
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return min(float(given[:10]), _LONGEST_S)
    try:
        until = _date(given)
        now = _date(headers.get("date", ""))
    except (ValueError, OverflowError):
        return 0
    return min(max(0.0, (until - now).total_seconds()), _LONGEST_S)


def _date(text: str) -> datetime:
    at = parsedate_to_datetime(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
