"""Renders a template for each recipient: runs in a process of its own.

Jinja2's sandbox keeps a template away from Python's internals; the process bounds its cost.
"""

from __future__ import annotations

import json
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pgqueue import Context
from pgqueue_tasks.errors import InputRefused

__all__ = ["render"]

_MAX_MESSAGE = 512 * 1024
_MAX_SUBJECT = 500


def _compiled(name: str, text: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=name == "html", keep_trailing_newline=True
    )
    try:
        return environment.from_string(text)
    except (TemplateError, RecursionError) as error:
        raise InputRefused(f"{name}: {str(error)[:500]}") from None


def _rendered(name: str, template: Template, recipient: dict[str, Any], number: int) -> str:
    variables = {**recipient["data"], "email": recipient["email"], "name": recipient["name"]}
    try:
        text = _bounded(template, variables)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  a template may raise whatever its filters do
        said = f"{type(error).__name__}: {error}"[:500]
        raise InputRefused(f"{name}, recipient {number}: {said}") from None
    if text is None:
        raise InputRefused(f"{name}, recipient {number}: more than 512 KiB")
    if name == "subject" and (len(text) > _MAX_SUBJECT or not text.isprintable()):
        raise InputRefused(
            f"subject, recipient {number}: must be one line of at most {_MAX_SUBJECT} characters"
        )
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise InputRefused(f"{name}, recipient {number}: has characters that mail cannot carry")
    return text


def _bounded(template: Template, variables: dict[str, Any]) -> str | None:
    size, parts = 0, []
    for part in template.generate(variables):
        size += len(part)
        if size > _MAX_MESSAGE:
            return None
        parts.append(part)
    return "".join(parts)


def render(ctx: Context, templates: dict[str, str], recipients: dict[int, dict[str, Any]]) -> bytes:
    """Return the messages, as JSON: for each recipient, given by number, its parts by name."""
    compiled = {name: _compiled(name, text) for name, text in templates.items()}
    messages = [
        {name: _rendered(name, template, recipient, n) for name, template in compiled.items()}
        for n, recipient in recipients.items()
    ]
    ctx.progress(5, "messages written")
    return json.dumps(messages).encode()
