"""The table of a run, its goals, and the JSON that is kept."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"

Runs = Mapping[str, Sequence[Mapping[str, float]]]
"""By system, the figures of each run."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    figure: str
    label: str
    digits: int = 0


@dataclass(frozen=True)
class Goal:
    """A goal for pgqueue, judged by the median."""

    text: str
    met: Callable[[Mapping[str, Mapping[str, float]]], bool]


@dataclass(frozen=True)
class Section:
    """One benchmark's part of the report."""

    name: str
    title: str
    rows: Sequence[Row]
    goals: Sequence[Goal]


def medians(runs: Runs) -> dict[str, dict[str, float]]:
    """Return each figure's median by system."""
    return {
        system: {figure: statistics.median(run[figure] for run in of) for figure in of[0]}
        for system, of in runs.items()
        if of
    }


def render(section: Section, runs: Runs) -> str:
    """Return the section as text: medians, the spread in brackets, then the goals."""
    systems = [system for system, of in runs.items() if of]
    lines = [["", *systems]]
    for row in section.rows:
        cells = [_cell(runs[system], row) for system in systems]
        if any(cells):
            lines.append([row.label, *cells])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    table = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    middle = medians(runs)
    judged = [
        f"{'reached' if goal.met(middle) else 'MISSED '}  {goal.text}" for goal in section.goals
    ]
    count = max(len(of) for of in runs.values())
    title = f"{section.title} (medians of {count}, min to max in brackets)"
    return "\n".join([title, *table, *judged, ""])


def _cell(of: Sequence[Mapping[str, float]], row: Row) -> str:
    values = [run[row.figure] for run in of if row.figure in run]
    if not values:
        return ""
    low, middle, high = (
        f"{value:,.{row.digits}f}"
        for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} [{low} to {high}]"


def save(about: Mapping[str, object], measured: Mapping[str, Runs], goals: object) -> Path:
    """Save all measurements, and return the file."""
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    file = RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    document = {
        "at": now.isoformat(),
        **about,
        "runs": measured,
        "medians": {name: medians(runs) for name, runs in measured.items()},
        "goals": goals,
    }
    file.write_text(json.dumps(document, indent=2) + "\n")
    return file
