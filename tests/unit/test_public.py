"""What `import pgqueue` offers, and nothing else."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pgqueue
from pgqueue import models
from pgqueue.models.base import Record


def test_all_names_what_is_public_and_is_sorted() -> None:
    public = {
        name
        for name, value in vars(pgqueue).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert set(pgqueue.__all__) == public
    assert pgqueue.__all__ == sorted(pgqueue.__all__)


def test_everything_public_says_what_it_is() -> None:
    undocumented = [name for name in pgqueue.__all__ if not getattr(pgqueue, name).__doc__]
    assert undocumented == []


def test_every_public_method_says_what_it_does() -> None:
    silent = [
        f"{name}.{member}"
        for name in ("PgQueue", "SyncClient", "Context", "Backoff", "NewTask")
        for member, value in vars(getattr(pgqueue, name)).items()
        if inspect.isfunction(value) and not member.startswith("_") and not value.__doc__
    ]
    assert silent == []


def test_the_package_is_typed() -> None:
    from importlib.resources import files

    assert (files("pgqueue") / "py.typed").is_file()


def test_importing_the_library_imports_no_server_and_no_framework() -> None:
    script = (
        "import sys, pgqueue; print([n for n in ('litestar', 'uvicorn', 'duckdb', 'typst', "
        "'pgqueue_api', 'pgqueue_worker', 'opentelemetry.sdk') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_id_that_is_read_is_a_text() -> None:
    found = {
        f"{model.__name__}.{name}"
        for module in pkgutil.walk_packages(models.__path__, "pgqueue.models.")
        for model in vars(importlib.import_module(module.name)).values()
        if isinstance(model, type) and issubclass(model, Record)
        for name, field in model.model_fields.items()
        if "UUID" in str(field.annotation)
    }
    assert found == set()
