"""Waits for locks in many short tries, so that nobody queues behind us, and finally gives up."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import psycopg

from pgqueue.database.queries import query
from pgqueue.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Busy", "Tell", "silent", "until_free"]

Answer = TypeVar("Answer")
Tell: TypeAlias = "Callable[[str], None]"

_TRIES = 25
_FIRST_S = 0.5
_LONGEST_S = 5.0
_TURN_S = 0.2


class Busy(Exception):
    """Another process is migrating."""


def silent(_message: str) -> None:
    """Report nothing."""


def until_free(
    connection: psycopg.Connection[Any], step: Callable[[], Answer], tell: Tell
) -> Answer:
    """Run a step, and run it again while a lock that it needs is not free.

    The step must leave nothing behind if it fails. While another process migrates it waits
    without limit; for other locks it tries 25 times, each for ``lock_timeout``, with growing,
    jittered pauses.
    """
    failures = 0
    announced = False
    while True:
        try:
            return step()
        except Busy:
            if not announced:
                tell("another process is migrating: waiting for it")
            announced = True
            time.sleep(random.uniform(0.5, 1) * _TURN_S)  # noqa: S311  spread, not secrecy
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            failures += 1
            holders = _holders(connection)
            if failures == _TRIES:
                message = f"a lock was not free in {_TRIES} tries; {holders}"
                hint = "end that session (pg_terminate_backend), or try again later"
                raise DatabaseUnavailable(message, hint=hint) from error
            if failures in {1, 5, 15}:
                tell(f"waiting for a lock; {holders}")
            longest = min(_LONGEST_S, _FIRST_S * 2.0 ** (failures - 1))
            time.sleep(random.uniform(0.5, 1) * longest)  # noqa: S311  spread, not secrecy


def _holders(connection: psycopg.Connection[Any]) -> str:
    rows = connection.execute(query("lock_holders")).fetchall()
    found = [
        f"pid {pid} ({application}, {state or 'active'}, open for {open_s:.0f} s: {text})"
        for pid, application, open_s, state, text in rows
    ]
    return "the schema is in use by " + ", ".join(found) if found else "its holder is gone by now"
