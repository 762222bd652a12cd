"""One message, as it goes over the wire."""

from __future__ import annotations

from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate

from .models import CampaignPayload, Recipient

__all__ = ["compose"]


def compose(
    payload: CampaignPayload,
    recipient: Recipient,
    written: dict[str, str],
    *,
    sender: str,
    message_id: str,
    at: float,
) -> bytes:
    """Return the message, with CRLF; ``message_id`` is the same whenever it is composed again."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = Address(payload.sender_name, addr_spec=sender)
    message["To"] = Address(recipient.name, addr_spec=recipient.email)
    if payload.reply_to is not None:
        message["Reply-To"] = Address(addr_spec=payload.reply_to)
    message["Subject"] = written["subject"]
    message["Date"] = formatdate(at)
    message["Message-ID"] = f"<{message_id}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if "text" in written:
        message.set_content(written["text"])
        if "html" in written:
            message.add_alternative(written["html"], subtype="html")
    else:
        message.set_content(written["html"], subtype="html")
    return message.as_bytes()
