"""Verifies who sent a webhook: HMAC-SHA256 over the unchanged body, in three schemes.

standard  https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
github    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
stripe    https://docs.stripe.com/webhooks/signature
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping

from pgqueue_worker.webhooks.signing import signed

from pgqueue_tasks.errors import EngineFailed, InputRefused

from .models import Scheme
from .settings import Source

__all__ = ["verify"]

_TOLERANCE_S = 300
_MAX_SIGNATURES = 20


def verify(source: Source, headers: Mapping[str, str], body: bytes, received_at: float) -> None:
    """Raise InputRefused unless a signature is valid and no older than five minutes."""
    _SCHEMES[source.scheme](source.secrets, headers, body, received_at)


def _standard(
    secrets: Iterable[str], headers: Mapping[str, str], body: bytes, received_at: float
) -> None:
    id = _header(headers, "webhook-id")
    timestamp = _fresh(_header(headers, "webhook-timestamp"), received_at)
    given = _header(headers, "webhook-signature").split()
    try:
        right = signed(id, timestamp, body, secrets)["webhook-signature"].split()
    except UnicodeEncodeError:
        raise InputRefused("the webhook-id is not ASCII") from None
    except ValueError:
        raise EngineFailed("a secret of the source is not base64 after whsec_") from None
    _match(given, right)


def _github(
    secrets: Iterable[str], headers: Mapping[str, str], body: bytes, received_at: float
) -> None:
    del received_at  # GitHub does not sign a timestamp
    given = _header(headers, "x-hub-signature-256")
    _match([given], ["sha256=" + _hmac(secret, body) for secret in secrets])


def _stripe(
    secrets: Iterable[str], headers: Mapping[str, str], body: bytes, received_at: float
) -> None:
    parts = [
        part.strip().partition("=") for part in _header(headers, "stripe-signature").split(",")
    ]
    times = [value for key, _, value in parts if key == "t"]
    if len(times) != 1:
        raise InputRefused("the stripe-signature has no timestamp")
    timestamp = _fresh(times[0], received_at)
    text = b"%d.%s" % (timestamp, body)
    _match(
        [value for key, _, value in parts if key == "v1"],
        [_hmac(secret, text) for secret in secrets],
    )


_SCHEMES: dict[Scheme, Callable[[Iterable[str], Mapping[str, str], bytes, float], None]] = {
    "standard": _standard,
    "github": _github,
    "stripe": _stripe,
}


def _hmac(secret: str, text: bytes) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise InputRefused(f"the webhook is not signed: it has no {name}")
    return value


def _fresh(text: str, received_at: float) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise InputRefused("the timestamp of the signature is not a Unix time")
    if abs(int(text) - received_at) > _TOLERANCE_S:
        raise InputRefused(
            "the timestamp of the signature is more than five minutes from when the webhook arrived"
        )
    return int(text)


def _match(given: list[str], right: list[str]) -> None:
    known = [value.encode() for value in right]
    for value in given[:_MAX_SIGNATURES]:
        if any(hmac.compare_digest(value.encode(), one) for one in known):
            return
    raise InputRefused("no signature matches: check the secret")
