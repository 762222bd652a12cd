"""One message, as it goes over the wire."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.utils import formatdate

from .head import check_head, head, mailbox, unstructured
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
    """Return the message, with CRLF; ``message_id`` is the same whenever it is composed again.

    Raise ``ValueError`` for an address that is none. The head has exactly the fields below.
    """
    fields = [
        ("From", mailbox(payload.sender_name, sender)),
        ("To", mailbox(recipient.name, recipient.email)),
        ("Subject", unstructured(written["subject"])),
        ("Date", formatdate(at)),
        ("Message-ID", f"<{message_id}@{sender.partition('@')[2]}>"),
        ("Auto-Submitted", "auto-generated"),
    ]
    if payload.reply_to is not None:
        fields.insert(2, ("Reply-To", mailbox("", payload.reply_to)))
    body = _body(written)
    message = head(fields) + body.as_bytes()
    check_head(message, [name for name, _ in fields] + body.keys())
    return message


def _body(written: dict[str, str]) -> EmailMessage:
    """Return the body, whose own headers hold nothing of the payload."""
    body = EmailMessage(policy=policy.SMTP)
    if "text" in written:
        body.set_content(written["text"])
        if "html" in written:
            body.add_alternative(written["html"], subtype="html")
    else:
        body.set_content(written["html"], subtype="html")
    return body
