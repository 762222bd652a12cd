"""Figures that tests measure: printed in one table at the end, judged by no clock of ours."""

from collections.abc import Callable

import pytest

__all__ = ["Figure", "figure"]

Figure = Callable[[str, str, str], None]
"""(row of the fault matrix, what was measured with its unit, what is promised)."""

_PROPERTY = "pgqueue_figure"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Note what was measured; `make faults` prints it."""

    def note(row: str, measured: str, promised: str) -> None:
        record_property(_PROPERTY, (row, measured, promised))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = sorted(
        tuple(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == _PROPERTY
    )
    if not figures:
        return
    widths = [max(len(row[column]) for row in figures) for column in range(2)]
    terminalreporter.section("measured under faults")
    for row, measured, promised in figures:
        terminalreporter.line(f"{row:<{widths[0]}}  {measured:<{widths[1]}}  promised: {promised}")
