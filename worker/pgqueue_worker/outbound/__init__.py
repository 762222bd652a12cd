"""HTTP requests to addresses that users name: to public ones only, and within bounds.

A URL, headers and a body enter. Out comes an ``Answer``, or an ``OutboundError`` that says why
there is none.
"""

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
