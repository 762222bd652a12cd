"""The static files of the dashboard, compressed once and kept in memory.

They are served under a hash of their content, so that a browser may keep them for ever, and modules
can import each other by relative paths without a bundler.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath

__all__ = ["Asset", "Assets", "assets"]

_STATIC = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
_IMPORT = re.compile(
    r'^(?:import|export)\b[^"]*?from "(\.[^"]+)"|^import "(\.[^"]+)"', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, as it is and compressed."""

    media_type: str
    content: bytes
    gzipped: bytes


@dataclass(frozen=True, slots=True)
class Assets:
    """The files by their path below ``static``, and the hash of all."""

    files: dict[str, Asset]
    version: str

    def imported_by(self, module: str) -> list[str]:
        """Return a module and all that it imports: what a page loads, in one round of requests."""
        found = [module]
        for name in found:  # grows while it is walked
            for match in _IMPORT.finditer(self.files[name].content.decode()):
                path = normpath(str(PurePosixPath(name).parent / (match[1] or match[2])))
                if path not in found:
                    found.append(path)
        return found


@cache
def assets() -> Assets:
    """Return the files; they are read and compressed at the first call."""
    digest = hashlib.sha256()
    files = {}
    for path in sorted(_STATIC.rglob("*")):
        if path.suffix not in _MEDIA_TYPES:
            continue
        content = path.read_bytes()
        name = path.relative_to(_STATIC).as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        files[name] = Asset(_MEDIA_TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
    return Assets(files, digest.hexdigest()[:16])
