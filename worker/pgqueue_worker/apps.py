"""Imports the app that ``--app module:name`` names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pgqueue_tasks

from pgqueue.client.app import PgQueue
from pgqueue.errors import UsageError


def load(target: str | None, *, builtin: bool) -> PgQueue:
    """Import an app, with the built-in types in addition to its own if ``builtin`` is true.

    A type of the app replaces a built-in one of the same name. Raise ``UsageError``, which says
    what is wrong with the name or the module.
    """
    app = PgQueue()
    if builtin or target is None:
        pgqueue_tasks.register(app)
    if target is None:
        return app
    own = _find(target)
    app.types.update(own.types)
    app.declared = own.declared
    return app


def _find(target: str) -> PgQueue:
    module_name, _, name = target.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            message = f"importing {module_name} failed: {error}"
            raise UsageError(message) from error
        message = f"there is no module {module_name!r}"
        hint = "name it as module:app, and start in its folder or set PYTHONPATH"
        raise UsageError(message, hint=hint) from error
    except Exception as error:
        message = f"importing {module_name} failed: {type(error).__name__}: {error}"
        raise UsageError(message) from error
    found = getattr(module, name or "app", None)
    if not isinstance(found, PgQueue):
        message = f"{module_name} has no PgQueue named {name or 'app'!r}"
        raise UsageError(message, hint="name it as module:app")
    return found
