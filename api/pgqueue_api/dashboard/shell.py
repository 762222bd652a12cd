"""The HTML of a page: its head, the navigation, and room for what its module fetches.

All addresses are relative, so that the dashboard works under any path of a proxy without knowing
it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

from pgqueue_api.dashboard.assets import assets

__all__ = ["NAVIGATION", "page"]

NAVIGATION = {
    "Overview": "",
    "Tasks": "/tasks",
    "Queues": "/queues",
    "Workers": "/workers",
}
"""The entries, and their paths below /ui."""

_TEMPLATE = Template((Path(__file__).parent / "templates" / "shell.html").read_text())


@cache
def page(module: str, title: str, current: str | None, depth: int) -> bytes:
    """Return a page that ``pages/{module}.js`` fills; its path has ``depth`` slashes."""
    up = "../" * (depth - 1)
    static = f"{up}ui/assets/{assets().version}"
    links = "\n".join(
        f'<a href="{up}ui{path}"{_marked(name == current)}>{name}</a>'
        for name, path in NAVIGATION.items()
    )
    preloads = "\n".join(
        f'<link rel="modulepreload" href="{static}/{name}">'
        for name in assets().imported_by(f"pages/{module}.js")
    )
    return _TEMPLATE.substitute(
        title=title,
        up=up,
        static=static,
        module=module,
        links=links,
        preloads=preloads,
    ).encode()


def _marked(current: bool) -> str:  # noqa: FBT001
    return ' aria-current="page"' if current else ""
