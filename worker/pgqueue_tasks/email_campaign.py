"""`email_campaign`: sends each recipient one message from a template, by SMTP, never twice.

The task stores that a message is about to be handed over, and again what the server answered. So an
attempt after a crash continues after the last recipient. The one message whose answer never came
may have been sent: it is reported as `unknown`, and not sent again.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

from pgqueue import Context

from ._email.addresses import is_address
from ._email.message import compose
from ._email.models import CampaignPayload, CampaignResult, RecipientOutcome
from ._email.server import Deferred, MailServer, NoAnswer, NotTaken, connected, said_of
from ._email.settings import MailSettings
from ._sandbox import sandboxed
from .errors import EngineFailed, InputRefused

__all__ = ["CampaignPayload", "CampaignResult", "email_campaign"]

ARTIFACT = "outbox.mbox"
_CPU_SECONDS = 20
_MAX_WRITTEN = 64 << 20
_MAX_OUTBOX = 15 << 20
_MAX_OUTCOME_BYTES = 200_000

Ended = dict[str, list[str]]
"""The status and the server's answer by the recipient's number, a text because JSON's keys are."""

Written = dict[int, dict[str, str]]
"""The subject and the bodies by the recipient's number, of those that have an address."""


async def email_campaign(ctx: Context, payload: CampaignPayload) -> CampaignResult:
    """Send a message to each recipient, at most once, and return the outcome of each.

    Raise InputRefused for a template that cannot be rendered or costs too much, EngineFailed for a
    server that fails or defers some messages: the next attempt sends those that are left.
    """
    settings = MailSettings()
    sender = payload.sender or settings.sender
    if not sender and settings.host:
        raise InputRefused(
            "there is no sender: set `from` in the payload, or PGQUEUE_SMTP_FROM on the worker"
        )
    if sender and not is_address(sender):
        raise EngineFailed(
            f"PGQUEUE_SMTP_FROM is {sender[:100]!r}: set it to an address such as news@shop.example"
        )
    campaign = _Campaign(ctx, payload, sender or "outbox@localhost", await _written(ctx, payload))
    if not settings.host:
        return await campaign.keep()
    async with connected(settings) as server:
        await campaign.send(server)
    return campaign.result("smtp")


async def _written(ctx: Context, payload: CampaignPayload) -> Written:
    recipients = {
        number: recipient.model_dump()
        for number, recipient in enumerate(payload.recipients, start=1)
        if is_address(recipient.email)
    }
    templates = {"subject": payload.subject, "text": payload.text, "html": payload.html}
    data = await sandboxed(
        ctx,
        "_email.rendering:render",
        {name: text for name, text in templates.items() if text is not None},
        recipients,
        memory_limit="512MiB",
        cpu_limit=_CPU_SECONDS,
        output_limit=_MAX_WRITTEN,
    )
    written: list[dict[str, str]] = await asyncio.to_thread(json.loads, data)
    return {number - 1: parts for number, parts in zip(recipients, written, strict=True)}


class _Campaign:
    """The messages to send, and their outcomes in this attempt and earlier ones."""

    def __init__(
        self, ctx: Context, payload: CampaignPayload, sender: str, written: Written
    ) -> None:
        self._ctx = ctx
        self._payload = payload
        self._sender = sender
        self._written = written
        remembered = ctx.last_checkpoint or {"ended": {}, "handing_over": None}
        self._ended: Ended = remembered["ended"]
        if remembered["handing_over"] is not None:
            self._ended[remembered["handing_over"]] = [
                "unknown",
                "the worker ended before the server answered",
            ]

    async def send(self, server: MailServer) -> None:
        """Send all messages without an outcome; raise ``EngineFailed`` if some were deferred."""
        deferred: list[str] = []
        total = len(self._payload.recipients)
        for n in range(total):
            if str(n) not in self._ended:
                try:
                    await self._send(server, n)
                except Deferred as error:
                    deferred.append(str(error))
            self._ctx.progress(5 + 95 * (n + 1) / total, f"{n + 1} of {total}")
        if deferred:
            raise EngineFailed(
                f"{len(deferred)} of {total} messages were deferred; the first: {deferred[0]}"
            )

    async def _send(self, server: MailServer, n: int) -> None:
        key = str(n)
        recipient = self._payload.recipients[n]
        try:
            message = self._message(n)
        except NotTaken as error:  # the same in each attempt, so there is nothing to remember
            self._ended[key] = ["refused", str(error)]
            return
        try:
            await server.address(self._sender, recipient.email)
            await self._remember(handing_over=key)
            await server.hand_over(message)
            self._ended[key] = ["sent", ""]
        except NotTaken as error:
            self._ended[key] = ["refused", str(error)]
        except NoAnswer as error:
            self._ended[key] = ["unknown", str(error)]
            await self._remember()
            raise EngineFailed(f"the mail server failed: {error}") from None
        except Deferred:
            await self._remember()
            raise
        await self._remember()

    async def keep(self) -> CampaignResult:
        """Store the messages with the task instead, because this worker has no server."""
        kept = bytearray()
        for n in range(len(self._payload.recipients)):
            try:
                lines = self._message(n).replace(b"\r\n", b"\n").split(b"\n")
            except NotTaken as error:
                self._ended[str(n)] = ["refused", str(error)]
                continue
            quoted = [
                b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines
            ]
            kept += f"From {self._sender} {self._at:%a %b %d %H:%M:%S %Y}\n".encode()
            kept += b"\n".join(quoted) + b"\n"
            if len(kept) > _MAX_OUTBOX:
                raise InputRefused(
                    "the messages are too large to be stored: "
                    "configure an SMTP server (PGQUEUE_SMTP_HOST)"
                )
            self._ended[str(n)] = ["kept", ""]
        await self._ctx.save_artifact(ARTIFACT, bytes(kept), "application/mbox")
        return self.result("outbox")

    def result(self, delivery: str) -> CampaignResult:
        """Return the status of each recipient."""
        outcomes = [
            RecipientOutcome.model_validate(
                {"email": recipient.email, "status": status, "detail": detail}
            )
            for n, recipient in enumerate(self._payload.recipients)
            for status, detail in [self._ended[str(n)]]
        ]
        size, shown = 0, []
        for outcome in outcomes:
            size += len(outcome.model_dump_json()) + 1
            if size <= _MAX_OUTCOME_BYTES:
                shown.append(outcome)
        return CampaignResult.model_validate(
            {
                "delivery": delivery,
                "counts": dict(Counter(outcome.status for outcome in outcomes)),
                "recipients": shown,
                "truncated": len(shown) < len(outcomes),
                "artifact": ARTIFACT if delivery == "outbox" else None,
            }
        )

    @property
    def _at(self) -> datetime:
        """When the task was made: the same in each attempt."""
        milliseconds = UUID(self._ctx.task_id).int >> 80
        return datetime.fromtimestamp(milliseconds / 1000, UTC)

    def _message(self, n: int) -> bytes:
        try:
            return compose(
                self._payload,
                self._payload.recipients[n],
                self._written.get(n, {}),
                sender=self._sender,
                message_id=f"{self._ctx.task_id}.{n}",
                at=self._at.timestamp(),
            )
        except ValueError as error:
            raise NotTaken(said_of(error)) from None

    async def _remember(self, handing_over: str | None = None) -> None:
        await self._ctx.checkpoint({"ended": self._ended, "handing_over": handing_over})
