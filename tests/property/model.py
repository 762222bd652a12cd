"""What a queue does, on one screen: no SQL, no clock, no concurrency. Times are steps."""

from __future__ import annotations

from dataclasses import dataclass, field

ENDED = ("completed", "failed", "cancelled")
CRASHES = 3


@dataclass
class Task:
    """A task as its client sees it."""

    priority: int
    max_attempts: int
    status: str = "queued"
    due: float | None = None
    attempt: int = 0
    budget: int = 0
    crashes: int = 0
    lease: int | None = None
    worker: int = 0
    cancel: bool = False
    children: list[tuple[Task, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.budget = self.max_attempts

    @property
    def waits(self) -> bool:
        """Whether it has a place in ready, where claims look."""
        return self.status == "queued" and self.due is None

    def move(self, status: str, due: float | None = None) -> None:
        self.status, self.due, self.lease, self.cancel = status, due, None, False
        if status in ENDED:
            for child, on_failure in self.children:
                child.parent_ended(status, on_failure)
            self.children = []

    def depend(self, parent: Task, on_failure: str) -> None:
        self.status = "blocked"
        if parent.status in ENDED:
            self.parent_ended(parent.status, on_failure)
        else:
            parent.children.append((self, on_failure))

    def parent_ended(self, status: str, on_failure: str) -> None:
        if self.status == "blocked":
            fate = {"cancel": "cancelled", "fail": "failed", "run": "queued"}[on_failure]
            self.move("queued" if status == "completed" else fate)

    def start(self, lease: int, worker: int) -> None:
        self.status, self.lease, self.worker = "active", lease, worker
        self.attempt += 1

    def finish(self, outcome: str, now: float, delay: float | None, *, retry: bool) -> None:
        due = now + (delay or 0)
        if self.cancel:
            self.move("cancelled")
        elif outcome in ("completed", "cancelled"):
            self.move(outcome)
        elif outcome == "released":
            self.attempt -= 1
            self.move("queued", due if delay else None)
        elif outcome == "snoozed":
            self.attempt -= 1
            self.move("scheduled", due)
        elif outcome == "crashed":
            self.crash()
        elif retry and self.attempt < self.budget:
            self.move("retrying", due)
        else:
            self.move("failed")

    def crash(self) -> None:
        """Crashes are counted apart from attempts."""
        if self.cancel or self.crashes + 1 == CRASHES:
            self.move("cancelled" if self.cancel else "failed")
        else:
            self.move("queued")
            self.crashes += 1
            self.budget += 1

    def again(self) -> None:
        """Run it again, as often as at first if it had ended."""
        if self.status != "retrying":
            self.budget, self.crashes = self.attempt + self.max_attempts, 0
        self.move("queued")
