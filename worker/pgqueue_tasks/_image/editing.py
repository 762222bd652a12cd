"""Draws, decodes and edits one picture, within bounds: runs in a process of its own."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from pgqueue import Context
from pgqueue_tasks.errors import InputRefused

from .drawing import draw

_MAX_PIXELS = 50_000_000  # 200 MB of RGBA; a phone's camera has 12 to 48
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_MAX_SIDE = 65_535  # the limit of JPEG


def edit(ctx: Context, request: dict[str, Any], data: bytes | None) -> tuple[dict[str, Any], bytes]:
    """Return the properties of a picture, and the picture: drawn, or read from ``data``."""
    image = draw(request["prompt"], request["size"]) if data is None else _opened(data)
    save: dict[str, Any] = {"format": request.get("format", "png"), "quality": 85}
    if image.format in ("JPEG", "WEBP"):
        save["format"] = image.format.lower()
    image = _plain(image)
    steps = request["operations"]
    for number, step in enumerate(steps):
        ctx.progress(50 + 40 * number / len(steps), str(step["op"]))
        if step["op"] == "convert":
            save = {"format": step["format"], "quality": step["quality"]}
        else:
            image = _DO[step["op"]](image, step)
    made = {"format": save["format"], "width": image.width, "height": image.height}
    return made, _saved(image, **save)


def _opened(data: bytes) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
        _bounded(image.width, image.height)
        image.load()  # of several frames the first
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputRefused(f"the picture has more than {_MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise InputRefused("this is not a picture in PNG, JPEG, WebP or GIF") from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, KeyError) as error:
        # what Pillow raises for broken files has no common class
        raise InputRefused(f"the picture cannot be read: {error}"[:300]) from None
    return image


def _plain(image: Image.Image) -> Image.Image:
    """Return it upright, in RGB or RGBA, without its metadata: no place, no camera."""
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001  broken EXIF is no reason to refuse a picture
        image = image.copy()
    transparent = image.has_transparency_data
    image = image.convert("RGBA" if transparent else "RGB")
    image.info = {}
    return image


def _resized(image: Image.Image, step: Any) -> Image.Image:
    width, height, fit = step.get("width"), step.get("height"), step["fit"]
    if width is None or height is None:
        factor = width / image.width if width is not None else height / image.height
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    elif fit == "contain":
        factor = min(width / image.width, height / image.height)
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    else:
        size = (width, height)
    _bounded(*size)
    if fit == "cover" and width is not None and height is not None:
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    return image.resize(size, Image.Resampling.LANCZOS)


def _thumbnail(image: Image.Image, step: Any) -> Image.Image:
    return ImageOps.fit(image, (step["size"], step["size"]), Image.Resampling.LANCZOS)


def _watermarked(image: Image.Image, step: Any) -> Image.Image:
    text = " ".join(step["text"].split())
    room = image.width * 0.9
    size = max(8.0, image.height / 16)
    font = ImageFont.load_default(size)
    if (length := font.getlength(text)) > room:
        font = ImageFont.load_default(max(4.0, size * room / length))
    left, top, right, bottom = font.getbbox(text)
    wide, high = right - left, bottom - top
    margin = min(image.width, image.height) * 0.03
    position = step["position"]
    x = margin if "left" in position else image.width - wide - margin
    y = margin if "top" in position else image.height - high - margin
    if position == "center":
        x, y = (image.width - wide) / 2, (image.height - high) / 2
    edge = max(1, round(size / 20))
    # only the part under the text, not a second picture
    box = (max(0, int(x) - edge), max(0, int(y) - edge))
    part = image.crop(
        (
            *box,
            min(image.width, math.ceil(x + wide) + edge),
            min(image.height, math.ceil(y + high) + edge),
        )
    ).convert("RGBA")
    layer = Image.new("RGBA", part.size, (0, 0, 0, 0))
    alpha = round(255 * step["opacity"])
    ImageDraw.Draw(layer).text(
        (x - left - box[0], y - top - box[1]),
        text,
        font=font,
        fill=(255, 255, 255, alpha),
        stroke_width=edge,
        stroke_fill=(0, 0, 0, alpha),
    )
    image.paste(Image.alpha_composite(part, layer).convert(image.mode), box)
    return image


_DO = {"resize": _resized, "thumbnail": _thumbnail, "watermark": _watermarked}


def _bounded(width: int, height: int) -> None:
    if width * height > _MAX_PIXELS:
        raise InputRefused(f"{width:,} × {height:,} is more than {_MAX_PIXELS:,} pixels")
    if max(width, height) > _MAX_SIDE:
        raise InputRefused(f"{width:,} × {height:,} is longer than {_MAX_SIDE:,} pixels")


def _saved(image: Image.Image, format: str, quality: int) -> bytes:
    out = io.BytesIO()
    if format == "jpeg" and image.mode == "RGBA":  # JPEG has no transparency
        ground = Image.new("RGB", image.size, (255, 255, 255))
        ground.paste(image, mask=image.getchannel("A"))
        image = ground
    if format == "webp" and max(image.size) > 16_383:
        raise InputRefused("a webp picture can be at most 16,383 pixels wide and high")
    options = {"optimize": False} if format == "png" else {"quality": quality}
    image.save(out, format.upper(), **options)
    return out.getvalue()
