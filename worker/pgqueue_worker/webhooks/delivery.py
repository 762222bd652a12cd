"""The task that sends one webhook: one try for each attempt, and each try is in the log."""

from __future__ import annotations

import asyncio
import random
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import BaseModel

from pgqueue import Backoff, Cancel, Context, PgQueue, Retry
from pgqueue.database.pool import Pool
from pgqueue.models.webhook import DELIVERY_TYPE, QUEUE
from pgqueue_worker.outbound import Allowed, Answer, Outbound, OutboundError
from pgqueue_worker.webhooks.signing import signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pgqueue.settings import Settings

__all__ = ["WAITS_S", "Deliverer", "Delivery", "delivering_app", "retry_after_s"]

WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""The pauses between tries, each up to a fifth longer; the eighth try comes after about 28
hours."""

_MAX_WAIT_S = 86_400.0
_MAX_LOGGED = 1024  # bytes of an answer
_TIMEOUT_S = 30
_MAX_CONNECTIONS = 8


class Delivery(BaseModel):
    """The payload of the task. What is sent is stored elsewhere, so that no secret is here."""

    delivery_id: str


@dataclass(frozen=True, slots=True)
class _Request:
    """A row of the query ``webhook_request``; a verdict other than send says why not to."""

    verdict: Literal["send", "gone", "delivered", "disabled"]
    url: str
    body: str
    secrets: list[str]
    timestamp: int


@dataclass(frozen=True, slots=True)
class _Try:
    """The outcome of a try, for the log."""

    duration_s: float
    response_status: int | None = None
    response: str | None = None
    error: str | None = None

    def as_json(self) -> str:
        """Return the fields that are set."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return orjson.dumps(fields).decode()


def delivering_app(dsn: str, settings: Settings) -> PgQueue:
    """Return the app whose only type sends webhooks."""
    app = PgQueue(dsn, settings=settings)
    deliverer = Deliverer(dsn, Outbound(Allowed.parse(settings.outbound_allow_hosts)))
    app.task(
        DELIVERY_TYPE,
        queue=QUEUE,
        timeout=_TIMEOUT_S,
        backoff=Backoff(
            "fixed", base=WAITS_S[0]
        ),  # for failures of our own, such as the database's
        description="Send a webhook.",
    )(deliverer.deliver)
    return app


class Deliverer:
    """Sends webhooks, any number at once."""

    def __init__(self, dsn: str, outbound: Outbound) -> None:
        self._outbound = outbound
        self._database = Pool.patient(dsn, "pgqueue webhooks", size=_MAX_CONNECTIONS)
        self._agent = f"pgqueue/{version('pgqueue')}"

    async def deliver(self, ctx: Context, payload: Delivery) -> dict[str, int] | Retry | Cancel:
        """Try once. The number of the attempt says how many tries are left."""
        id = payload.delivery_id
        row = await self._row("webhook_request", id=id)
        assert row is not None
        request = _Request(**row)
        match request.verdict:
            case "gone":
                return Cancel("there is no such delivery any more")
            case "delivered":  # by an attempt that died before its finish was recorded
                return {"delivered": True}
            case "disabled":
                await self._record(id, "cancelled")
                return Cancel("its webhook is disabled or deleted")
        body = request.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._agent,
            **signed(id, request.timestamp, body, request.secrets),
        }
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await self._outbound.request(
                "POST", request.url, headers=headers, content=body
            )
        except OutboundError as error:
            took_s = round(loop.time() - began, 3)
            return await self._failed(ctx, id, str(error), _Try(took_s, error=str(error)))
        return await self._answered(ctx, id, answer)

    async def _answered(
        self, ctx: Context, id: str, answer: Answer
    ) -> dict[str, int] | Retry | Cancel:
        text = answer.body[:_MAX_LOGGED].decode(errors="replace").replace("\0", "\ufffd")
        took_s = round(answer.took_s, 3)
        if 200 <= answer.status < 300:
            await self._record(id, "delivered", _Try(took_s, answer.status, text))
            return {"delivered": True, "response_status": answer.status}
        if answer.status == HTTPStatus.GONE:
            error = "the receiver wants no more"
            await self._record(id, "failed", _Try(took_s, answer.status, text, error), gone=True)
            return Cancel("the receiver answered 410 Gone")
        error = f"the receiver answered {answer.status}"
        tried = _Try(took_s, answer.status, text, error)
        return await self._failed(ctx, id, error, tried, retry_after_s(answer.headers))

    async def _failed(
        self, ctx: Context, id: str, error: str, tried: _Try, min_wait_s: float = 0.0
    ) -> Retry:
        left = ctx.max_attempts - ctx.attempt
        await self._record(id, "pending" if left else "failed", tried)
        usual_s = WAITS_S[max(0, len(WAITS_S) - left) if left else -1]
        wait_s = usual_s * (1 + random.random() / 5)  # noqa: S311  spread, not secrecy
        return Retry(after=max(wait_s, min_wait_s), reason=error)

    async def _record(
        self, id: str, status: str, tried: _Try | None = None, *, gone: bool = False
    ) -> None:
        text = None if tried is None else tried.as_json()
        await self._row("record_delivery", id=id, status=status, try_=text, gone=gone)

    async def _row(self, name: str, /, **parameters: object) -> dict[str, Any] | None:
        return await self._database.row(name, parameters)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return the seconds that ``Retry-After`` asks for, at most a day; 0 if it asks for none.

    It is a number of seconds, or a date. A date is compared with the ``Date`` of the same answer,
    which the same clock wrote. An answer without ``Date`` asks for none: our clock may be wrong.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:10]), _MAX_WAIT_S)
    try:
        until = _date(value)
        now = _date(headers.get("date", ""))
    except (ValueError, OverflowError):
        return 0
    return min(max(0.0, (until - now).total_seconds()), _MAX_WAIT_S)


def _date(text: str) -> datetime:
    at = parsedate_to_datetime(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
