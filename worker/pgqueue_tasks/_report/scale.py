"""Axis ticks and formatted numbers: the arithmetic of charts, separate from their drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Scale", "decimals_of", "format_number", "needs_groups", "scale_for"]


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from the first tick to the last."""

    ticks: tuple[float, ...]
    decimals: int

    def position(self, value: float) -> float:
        """0 at the bottom, 1 at the top."""
        low, high = self.ticks[0], self.ticks[-1]
        return (value - low) / (high - low)


def scale_for(values: Sequence[float], *, with_zero: bool) -> Scale:
    """Four to eight round ticks (1, 2, 2.5 or 5 times a power of ten) that enclose the values."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if with_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    size = max(abs(low), abs(high))
    if high - low <= max(size, 1.0) * 1e-9:
        margin = size * 0.5 if size > 1e-9 else 1.0
        low, high = (
            (low, high + margin) if with_zero and low >= 0 else (low - margin, high + margin)
        )
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    factor = next(f for f in (1, 2, 2.5, 5, 10) if f * power >= rough * (1 - 1e-9))
    step = factor * power
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    places = max(0, -math.floor(math.log10(step) + 1e-9)) + (
        1 if factor == 2.5 and step < 10 else 0
    )
    return Scale(tuple(round(i * step, 12) for i in range(first, last + 1)), min(places, 12))


def decimals_of(value: float) -> int:
    """How many decimals (0 to 4) show the value."""
    if isinstance(value, int) or value == int(value):
        return 0
    text = f"{value:.4f}".rstrip("0")
    return len(text) - text.index(".") - 1


def format_number(value: float, decimals: int, *, grouped: bool = False) -> str:
    """The digits, in groups of three when asked, with a real minus sign and no negative zero."""
    text = f"{value:{',' if grouped else ''}.{decimals}f}"
    return text.replace("-", "\u2212") if text.strip("-0.,") else text.lstrip("-")


def needs_groups(values: Iterable[float]) -> bool:
    """Return whether numbers shown together are grouped: from 10,000 on, so years are not."""
    return any(abs(value) >= 10_000 for value in values)
