"""Why a request got no answer.

OutboundError
├── Refused      the URL, or an address of its host, is not permitted
├── Unreachable  no connection: the name, the network or the certificate
├── TimedOut     connected too late, or answered too late
└── AnswerLost   connected, and what came back was no answer
"""

from __future__ import annotations


class OutboundError(Exception):
    """A request got no answer."""


class Refused(OutboundError):
    """The URL, or an address of its host, is not permitted."""


class Unreachable(OutboundError):
    """No connection could be made."""


class TimedOut(OutboundError):
    """It took too long."""


class AnswerLost(OutboundError):
    """The connection ended, or held what is not HTTP, before there was an answer."""
