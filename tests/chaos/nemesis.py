"""The nemesis: breaks a stage under load, window after window, then heals it and reads the books.

What it does is drawn from its seed and nothing else: the same seed gives the same windows of 10 to
30 s, and in them the same faults at the same times with the same dice. Every fourth is quiet.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson
import psycopg

from tests.chaos.faults import CLOCKS, KINDS, Steps
from tests.chaos.histories import FAULTS, Pen, read_history, read_stored
from tests.chaos.ledger import History, Stored, Verdict, check
from tests.chaos.stage import LEASE_S, Stage, chance_of, staged
from tests.soundness import violations

__all__ = ["Report", "Run", "Strike", "Window", "plan", "play"]

_WINDOW_S = (10.0, 30.0)
_QUIET_EVERY = 4
_MOST = 5  # faults in one window
_EARLY = 0.7  # of a window: later none begins, so that most end in it
_DRAIN_S = 180.0


@dataclass(frozen=True)
class Strike:
    """A fault of a window: its number names its dice."""

    n: int
    kind: str
    after_s: float


@dataclass(frozen=True)
class Window:
    """So many seconds, and what is broken in them."""

    seconds: float
    strikes: tuple[Strike, ...] = ()


def plan(seed: object, faults: int, kinds: Sequence[str] = tuple(KINDS)) -> list[Window]:
    """Draw windows with so many faults, all kinds equally often."""
    chance = chance_of(seed, "plan")
    deck: list[str] = []
    windows: list[Window] = []
    n = 0
    while n < faults:
        seconds = round(chance.uniform(*_WINDOW_S), 1)
        if len(windows) % _QUIET_EVERY == _QUIET_EVERY - 1:
            windows.append(Window(seconds))
            continue
        strikes = []
        for _ in range(min(chance.randint(1, _MOST), faults - n)):
            if not deck:
                deck = chance.sample(kinds, len(kinds))
            strikes.append(Strike(n, deck.pop(), round(chance.uniform(0, seconds * _EARLY), 2)))
            n += 1
        windows.append(Window(seconds, tuple(sorted(strikes, key=lambda one: one.after_s))))
    return windows


@dataclass(frozen=True)
class Run:
    """What to play: see `staged` for ``broken`` and ``api``.

    ``rate``: tasks a second, by default so many that they last as long as the windows;
    ``slow``: the share of those that take seconds.
    """

    tasks: int
    windows: Sequence[Window]
    seed: object = 0
    rate: float | None = None
    slow: float = 0.03
    broken: str = ""
    api: str = "pgqueue"
    binaries: Path | None = None
    lease_s: float = LEASE_S
    drain_s: float = _DRAIN_S

    @property
    def seconds(self) -> float:
        """How long the windows are, all together."""
        return sum(window.seconds for window in self.windows)


@dataclass
class Report:
    """What came of it."""

    verdict: Verdict
    unsound: list[str]
    """What `pgqueue.check()` found."""
    faults: Counter[str] = field(default_factory=Counter)
    seconds: float = 0

    @property
    def passed(self) -> bool:
        """Whether nothing was lost, doubled, stale, unexpected or unsound."""
        return self.verdict.sound and not self.unsound

    def text(self) -> str:
        """Say it in a few lines, with the first of the evidence."""
        v = self.verdict
        counts = [f"{name} {len(found)}" for name, found in v.evidence().items()]
        faults = ", ".join(f"{n} {kind}" for kind, n in sorted(self.faults.items()))
        asked = f"{v.acknowledged:,} acknowledged, {v.unknown:,} unknown"
        done = f"{v.completed:,} completed in {v.executions:,} executions"
        lines = [
            f"faults        {self.faults.total()}: {faults}",
            f"tasks         {asked}, {done}",
            f"found         {', '.join(counts)}, unsound {len(self.unsound)}",
            f"re-executions {v.reexecutions:,}, of {v.in_flight:,} leases in flight at the faults",
            f"took          {self.seconds / 60:.1f} min",
        ]
        for name, found in {**v.evidence(), "unsound": self.unsound}.items():
            lines += [f"{name}: {one}" for one in found[:5]]
        return "\n".join(lines)


def play(run: Run, folder: Path) -> Report:
    """Play it; histories, logs and the verdict stay in the folder."""
    began = time.monotonic()
    with staged(
        folder,
        seed=run.seed,
        lease_s=run.lease_s,
        faked=any(strike.kind in CLOCKS for w in run.windows for strike in w.strikes),
        binaries=run.binaries,
        broken=run.broken,
        api=run.api,
    ) as stage:
        rate = run.rate or run.tasks / run.seconds
        stage.start(tasks=run.tasks, rate=rate, slow=run.slow)
        _break(stage, run)
        stage.heal()
        stage.drain(run.drain_s)  # what is left then, the ledger calls lost
        stage.stop()
        from_epoch = stage.from_epoch()
        with psycopg.connect(stage.dsn, autocommit=True) as connection:
            stored = read_stored(connection, from_epoch)
            found = violations(connection)
    history = read_history(stage.histories)
    verdict = check(history, stored, slack_s=2 * LEASE_S)
    report = Report(
        verdict,
        [" ".join(row) for row in found],
        Counter(fault.kind for fault in history.faults),
        time.monotonic() - began,
    )
    _keep(folder, report, history, stored)
    return report


def _break(stage: Stage, run: Run) -> None:
    """Play the windows one after the other: every step when it is due, all in this thread."""
    pen = Pen(stage.histories, FAULTS, "all")
    for window in run.windows:
        began = time.monotonic()
        with ExitStack() as mended:
            due = [
                (strike.after_s, strike.n, _step(stage, run, strike, pen, mended))
                for strike in window.strikes
            ]
            heapq.heapify(due)
            while due:
                at, n, steps = heapq.heappop(due)
                time.sleep(max(0.0, began + at - time.monotonic()))
                pause_s = next(steps, None)
                if pause_s is not None:
                    heapq.heappush(due, (time.monotonic() - began + pause_s, n, steps))
        time.sleep(max(0.0, began + window.seconds - time.monotonic()))


def _step(stage: Stage, run: Run, strike: Strike, pen: Pen, mended: ExitStack) -> Iterator[float]:
    """Play a fault, and write down when it began and when it was whole again."""
    kind = KINDS[strike.kind]
    steps: Steps = kind.play(stage, chance_of(run.seed, strike.n))
    mended.callback(steps.close)
    pen.write(what="begin", n=strike.n, kind=kind.name, disturbs=kind.disturbs)
    yield from steps
    pen.write(what="end", n=strike.n)


def _keep(folder: Path, report: Report, history: History, stored: Stored) -> None:
    """Leave what a person needs to see why."""
    (folder / "report.txt").write_text(report.text() + "\n")
    parts = {"verdict": report.verdict, "history": history, "stored": stored}
    for name, part in parts.items():
        (folder / f"{name}.json").write_bytes(orjson.dumps(asdict(part)))
