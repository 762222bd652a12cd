"""One compilation with Typst: runs in a process of its own."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typst

from pgqueue import Context

__all__ = ["typeset"]

_TEMPLATE = Path(__file__).with_name("template.typ")


def typeset(ctx: Context, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the pages, the size and the SHA-256 of the PDF, and the PDF itself."""
    # The bundled fonts come first; the system's only fill in scripts that those lack.
    fonts = typst.Fonts(include_system_fonts=True, include_embedded_fonts=True)
    ctx.progress(30, "fonts read")
    moment = request["date"]
    # The working directory is new and empty: no file or package can be reached from it.
    root = Path.cwd()
    options: dict[str, Any] = {
        "root": root,
        "font_paths": fonts,
        "sys_inputs": {"data": json.dumps(request)},
        "package_path": root,
        "package_cache_path": root,
    }
    # A compiler forgets a source given as bytes after one use; the second finds the layout cached.
    source = {"main": _TEMPLATE.read_bytes()}
    pages = json.loads(typst.Compiler(source, **options).query("<pages>", field="value", one=True))
    ctx.progress(70, f"{pages} pages set")
    data = typst.Compiler(source, **options).compile(
        format="pdf",
        timestamp=datetime.fromisoformat(moment).replace(tzinfo=UTC) if moment else None,
    )
    if not isinstance(data, bytes):
        raise TypeError("Typst did not return a single PDF")
    result = {"pages": pages, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return result, data
