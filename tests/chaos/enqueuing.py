"""Clients that enqueue one task after the other while the database is broken, and take notes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

from tests.worker.conftest import eventually

__all__ = ["Asked", "Enqueuer"]

_PAUSE_S = 0.01


@dataclass
class Asked:
    """A call: its task's key, when it began and ended, and the id that it was told."""

    key: str
    began: float
    ended: float | None = None
    id: str | None = None
    error: Exception | None = None


class Enqueuer:
    """Calls ``enqueue`` with key after key, in a thread, until the end of the block.

    A call that returned the id of its task was acknowledged; one that raised may have been stored.
    """

    def __init__(self, name: str, enqueue: Callable[[str], str]) -> None:
        self.calls: list[Asked] = []
        self._name = name
        self._enqueue = enqueue
        self._stop = Event()
        self._thread = Thread(target=self._run, name=name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop, and wait for the call that is under way."""
        self._stop.set()
        self._thread.join()

    @property
    def acknowledged(self) -> set[str]:
        """The ids of all tasks that were acknowledged."""
        return {call.id for call in self.calls if call.id is not None}

    def works_again(self, since: float) -> float:
        """Wait until a call that began after a moment is acknowledged; give the seconds since."""

        def first() -> Asked | None:
            return next((c for c in [*self.calls] if c.began > since and c.id is not None), None)

        ended = eventually(first, f"{self._name} enqueues again").ended
        return ended - since

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            call = Asked(f"{self._name}/{len(self.calls)}", time.monotonic())
            self.calls.append(call)
            try:
                id = self._enqueue(call.key)
            except Exception as error:  # noqa: BLE001  whatever it is, it is no acknowledgement
                call.ended, call.error = time.monotonic(), error
            else:
                call.ended, call.id = time.monotonic(), id
