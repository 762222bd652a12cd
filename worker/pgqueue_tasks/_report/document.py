"""Turns a payload into what template.typ draws: clean texts, formatted numbers, geometry 0 to 1."""

from __future__ import annotations

import re
from typing import Any

from .models import Cell, Chart, ReportPayload, Section, Table
from .scale import decimals_of, format_number, needs_groups, scale_for

__all__ = ["document"]

_LONG_RUN = re.compile(r"\S{31,}")
# Control characters have no glyph; overrides (U+202D, U+202E) reorder what
# stands around them, so that a name can read as another.
_UNPRINTABLE = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x202D, 0x202E, 0xFFFE, 0xFFFF],
    "\ufffd",
) | {0x09: " ", 0x0A: "\n", 0x0D: "", 0x2028: "\n", 0x2029: "\n"}


def document(payload: ReportPayload) -> dict[str, Any]:
    """JSON data for the template; strings in it are only ever shown, never read as markup."""
    return {
        "title": _line(payload.title),
        "plain_title": _plain(payload.title),
        "subtitle": payload.subtitle and _line(payload.subtitle),
        "author": payload.author and _line(payload.author),
        "plain_author": payload.author and _plain(payload.author),
        "date": payload.date,
        "paper": payload.paper,
        "language": payload.language,
        "contents": payload.contents,
        "sections": [_section(section) for section in payload.sections],
    }


def _clean(text: str) -> str:
    """The text with a break opportunity in runs that no line could hold."""
    text = text.translate(_UNPRINTABLE)
    return _LONG_RUN.sub(lambda run: re.sub(r"(.{5})", "\\1\u200b", run[0]), text)


def _plain(text: str) -> str:
    return text.translate(_UNPRINTABLE).replace("\n", " ")


def _line(text: str) -> str:
    return _clean(text).replace("\n", " ")


def _section(section: Section) -> dict[str, Any]:
    paragraphs = [
        [_clean(line) for line in part.split("\n")]
        for text in section.paragraphs
        for part in re.split(r"\n\s*\n", text.translate(_UNPRINTABLE))
        if part.strip()
    ]
    return {
        "heading": section.heading and _line(section.heading),
        "paragraphs": paragraphs,
        "charts": [_chart(chart) for chart in section.charts],
        "tables": [_table(table) for table in section.tables],
    }


def _table(table: Table) -> dict[str, Any]:
    numeric: list[bool] = []
    styles: list[tuple[int, bool]] = []
    for index in range(len(table.columns)):
        cells = [row[index] for row in table.rows if row[index] is not None]
        numbers = [c for c in cells if isinstance(c, int | float) and not isinstance(c, bool)]
        numeric.append(bool(cells) and len(numbers) == len(cells))
        styles.append((max(map(decimals_of, numbers), default=0), needs_groups(numbers)))

    def show(cell: Cell, index: int) -> str:
        if cell is None:
            return ""
        if isinstance(cell, bool):
            return "yes" if cell else "no"
        if isinstance(cell, int | float):
            places, grouped = styles[index]
            return format_number(
                cell, places if numeric[index] else decimals_of(cell), grouped=grouped
            )
        return _clean(cell)

    shown = [[show(cell, i) for i, cell in enumerate(row)] for row in table.rows]
    # Columns of long texts share the width that the others leave.
    wide = [
        max([len(name), *(len(row[i]) for row in shown)]) > 28
        for i, name in enumerate(table.columns)
    ]
    return {
        "caption": table.caption and _line(table.caption),
        "columns": [_line(name) for name in table.columns],
        "rows": shown,
        "numeric": numeric,
        "wide": wide,
        "total": table.total and bool(table.rows),
    }


def _chart(chart: Chart) -> dict[str, Any]:
    base: dict[str, Any] = {
        "type": chart.type,
        "title": chart.title and _line(chart.title),
        "unit": _line(chart.unit),
        "labels": [_short(label) for label in chart.labels],
        "names": [_line(series.name) for series in chart.series],
        "alt": _plain(f"{chart.type} chart: {chart.title or ', '.join(chart.labels[:8])}"),
    }
    if chart.type == "pie":
        slices = [value or 0.0 for value in chart.series[0].values]
        total = sum(slices)
        places = max(map(decimals_of, slices))
        return base | {
            "shares": [value / total for value in slices],
            "values": [
                format_number(value, places, grouped=needs_groups(slices)) for value in slices
            ],
            "percents": [f"{value / total:.1%}" for value in slices],
        }
    values = [v for series in chart.series for v in series.values if v is not None]
    grouped = needs_groups(values)
    scale = scale_for(values, with_zero=chart.type == "bar")
    small = len(values) <= 16 and len(chart.labels) <= 12
    places = max(map(decimals_of, values), default=0)
    return base | {
        "ticks": [
            [scale.position(t), format_number(t, scale.decimals, grouped=grouped)]
            for t in scale.ticks
        ],
        "zero": min(1.0, max(0.0, scale.position(0.0))),
        "series": [
            [None if v is None else scale.position(v) for v in series.values]
            for series in chart.series
        ],
        "texts": [
            ["" if v is None else format_number(v, places, grouped=grouped) for v in series.values]
            for series in chart.series
        ]
        if small
        else None,
    }


def _short(label: str) -> str:
    text = _plain(label)
    return text if len(text) <= 22 else text[:21] + "…"
