"""A pattern drawn from a prompt's hash: the same prompt and size, the same picture."""

from __future__ import annotations

import colorsys
import hashlib
import math
import random

from PIL import Image, ImageDraw

__all__ = ["draw"]

_SHAPES = 24


def draw(prompt: str, size: tuple[int, int]) -> Image.Image:
    """Draw it: a ground of two colours, and shapes of related ones over it."""
    width, height = size
    chance = random.Random(hashlib.sha256(prompt.encode()).digest())  # noqa: S311  no secret
    hue = chance.random()
    image = _ground(width, height, _colour(hue, 0.55, 0.95), _colour(hue + 0.12, 0.7, 0.35))
    for _ in range(_SHAPES):
        layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        near = hue + chance.choice((0.0, 0.08, 0.5, 0.58)) + chance.uniform(-0.03, 0.03)
        fill = (*_colour(near, chance.uniform(0.4, 0.9), chance.uniform(0.5, 1)), 110)
        x, y = chance.uniform(0, width), chance.uniform(0, height)
        radius = chance.uniform(0.04, 0.22) * max(width, height)
        corners = chance.choice((0, 3, 4, 6))
        turn = chance.uniform(0, math.tau)
        pen = ImageDraw.Draw(layer)
        if corners:
            angles = [turn + math.tau * n / corners for n in range(corners)]
            pen.polygon(
                [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles], fill=fill
            )
        else:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
        image = Image.alpha_composite(image, layer)
    return image.convert("RGB")


def _ground(width: int, height: int, top: tuple[int, ...], bottom: tuple[int, ...]) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((width, height))
    above = Image.new("RGBA", (width, height), (*top, 255))
    return Image.composite(Image.new("RGBA", (width, height), (*bottom, 255)), above, ramp)


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
