"""Imports the app that ``--app module:name`` names."""

from __future__ import annotations

import importlib
import sys
import traceback
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
            raise UsageError(_failure(module_name, error)) from error
        message = f"there is no module {module_name!r}"
        hint = "name it as module:app, and start in its folder or set PYTHONPATH"
        raise UsageError(message, hint=hint) from error
    except (Exception, SystemExit) as error:
        raise UsageError(_failure(module_name, error)) from error
    found = getattr(module, name or "app", None)
    if not isinstance(found, PgQueue):
        others = [other for other, value in vars(module).items() if isinstance(value, PgQueue)]
        message = f"{module_name} has no PgQueue named {name or 'app'!r}"
        named = " or ".join(f"{module_name}:{other}" for other in others)
        raise UsageError(message, hint=f"name it as {named or 'module:app'}")
    return found


def _failure(module_name: str, error: BaseException) -> str:
    """Return what a module raised, with its traceback from its own first line."""
    frames = error.__traceback__
    while frames is not None and _imports(frames.tb_frame.f_globals.get("__name__", "")):
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    return f"importing {module_name} failed:\n{''.join(lines).rstrip()}"


def _imports(module: str) -> bool:
    return module == __name__ or module.partition(".")[0] == "importlib"
