"""HTTP to the outside, to addresses that users name: to public ones only, and within bounds."""

from pgqueue_worker.outbound.addresses import Allowed, is_public
from pgqueue_worker.outbound.client import Answer, Outbound
from pgqueue_worker.outbound.errors import (
    AnswerLost,
    OutboundError,
    Refused,
    TimedOut,
    Unreachable,
)

__all__ = [
    "Allowed",
    "Answer",
    "AnswerLost",
    "Outbound",
    "OutboundError",
    "Refused",
    "TimedOut",
    "Unreachable",
    "is_public",
]
