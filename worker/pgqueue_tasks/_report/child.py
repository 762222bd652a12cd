"""`python -m pgqueue_tasks._report.child`: one compilation with Typst in its own process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typst

from pgqueue_tasks._child import serve

__all__: list[str] = []

_TEMPLATE = Path(__file__).with_name("template.typ")


def _run(request: Any, progress: Callable[[float, str], None]) -> tuple[Any, bytes]:
    # The bundled fonts set the page; the system's only fill in scripts that those lack.
    fonts = typst.Fonts(include_system_fonts=True, include_embedded_fonts=True)
    progress(30, "fonts read")
    moment = request["date"]
    # The sandbox's working directory is new and empty: no file or package can be reached from it.
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
    progress(70, f"{pages} pages set")
    data = typst.Compiler(source, **options).compile(
        format="pdf",
        timestamp=datetime.fromisoformat(moment).replace(tzinfo=UTC) if moment else None,
    )
    if not isinstance(data, bytes):
        raise TypeError("Typst gave no single PDF")
    result = {"pages": pages, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return result, data


if __name__ == "__main__":
    serve(_run)
