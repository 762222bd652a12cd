"""Writes the modules of ``pgqueue/client/sync`` from those of ``pgqueue/client``.

Run ``make sync-client`` after a change to a public method of one of the classes below. A test
compares the written modules with the output of this one.

A coroutine method becomes a method that runs it on the bridge. A method that returns one of the
classes returns its twin. An asynchronous context manager becomes a plain one. Signatures and
docstrings are copied, ``psycopg.AsyncConnection`` becomes ``psycopg.Connection``, and iterables of
tasks are read in the caller's thread. The sources are read as text, so this works even if the
modules cannot be imported.
"""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
import sysconfig
import textwrap
from functools import cache
from pathlib import Path

__all__ = ["CLASSES", "FOLDER", "modules"]

SOURCES = Path(__file__).parents[2] / "pgqueue" / "client"
FOLDER = SOURCES / "sync"

CLASSES = {
    "client": ["Client"],
    "batches": ["Batches", "OpenBatch"],
    "operations": ["Operations"],
    "schedules": ["Schedules"],
    "webhooks": ["Webhooks"],
}

_HOMES = {name: module for module, names in CLASSES.items() for name in names}
_WORDS = {"async with": "with", "``app.": "``client.", "with app.": "with client."}
_BY_HAND = {
    "Bridged": "pgqueue.client.sync.bridge",
    "BridgedClient": "pgqueue.client.sync.bridge",
    "lent_to_sync": "pgqueue.client.lent",
}

Method = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> dict[str, str]:
    """Return the text of each module by its name."""
    return {name: _formatted(_module(name)) for name in CLASSES}


def _module(name: str) -> str:
    classes = [_class(each) for each in CLASSES[name]]
    source = _found(CLASSES[name][0])[0]
    return "\n".join(
        [
            f'"""Written from ``{source}`` by ``make sync-client``."""',
            "from __future__ import annotations",
            *_imports(name, "\n".join(classes)),
            f"__all__ = {sorted(_twin(each) for each in CLASSES[name])}",
            *classes,
        ]
    )


@cache
def _trees() -> dict[str, ast.Module]:
    """Return the asynchronous modules by their names for import."""
    files = [*sorted(SOURCES.glob("*.py")), FOLDER / "bridge.py"]
    root = SOURCES.parent.parent
    return {
        ".".join(file.relative_to(root).with_suffix("").parts): ast.parse(file.read_text())
        for file in files
    }


def _found(name: str) -> tuple[str, ast.ClassDef]:
    """Return the module of a class, and the class."""
    for module, tree in _trees().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return module, node
    raise LookupError(f"no module of the client has a class {name}")


def _class(name: str) -> str:
    by_hand = _found("BridgedClient")[1] if name == "Client" else None
    base = "BridgedClient" if by_hand else f"Bridged[{name}]"
    doc = ast.get_docstring(by_hand or _found(name)[1]) or ""
    skipped = {node.name for node in by_hand.body if isinstance(node, Method)} if by_hand else set()
    methods = [text for node in _methods(name) if (text := _method(node, skipped))]
    body = "\n".join([_docstring(doc), *methods])
    return f"class {_twin(name)}({base}):\n{textwrap.indent(body, '    ')}\n"


def _methods(name: str) -> list[Method]:
    """Return the methods of a class and of its bases, in the order of the sources."""
    _, node = _found(name)
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id != "Generic"]
    found = {method.name: method for base in bases for method in _methods(base)}
    return [
        *(
            found | {method.name: method for method in node.body if isinstance(method, Method)}
        ).values()
    ]


def _method(node: Method, skipped: set[str]) -> str:
    name = {"__aenter__": "__enter__", "__aexit__": "__exit__"}.get(node.name, node.name)
    if name in skipped or (name == node.name and name.startswith("_")):
        return ""
    decorators = "".join(f"@{ast.unparse(one)}\n" for one in node.decorator_list)
    returns = ast.unparse(node.returns) if node.returns else "None"
    parameters = ast.unparse(node.args).replace("psycopg.AsyncConnection", "psycopg.Connection")
    doc = _docstring(ast.get_docstring(node) or "")
    body = textwrap.indent(f"{doc}\n{_body(node, returns)}", "    ")
    return f"{decorators}def {name}({parameters}) -> {_twin(returns)}:\n{body}\n"


def _body(node: Method, returns: str) -> str:
    is_property = any(ast.unparse(one) == "property" for one in node.decorator_list)
    twin = f"self._twin.{node.name}" + ("" if is_property else f"({_arguments(node.args)})")
    if returns in _HOMES:
        return f"return {_twin(returns)}({twin}, self._bridge)"
    if isinstance(node, ast.FunctionDef):
        return f"return {twin}"
    lends = any(one.arg == "connection" for one in node.args.kwonlyargs)
    run = f"self._bridge.run({twin}, connection)" if lends else f"self._bridge.run({twin})"
    if returns == "Self":
        return f"{run}\nreturn self"
    return run if returns == "None" else f"return {run}"


def _arguments(given: ast.arguments) -> str:
    values = [_value(one) for one in (*given.posonlyargs, *given.args)[1:]]
    values += [f"*{given.vararg.arg}"] if given.vararg else []
    values += [f"{one.arg}={_value(one)}" for one in given.kwonlyargs]
    values += [f"**{given.kwarg.arg}"] if given.kwarg else []
    return ", ".join(values)


def _value(parameter: ast.arg) -> str:
    name = parameter.arg
    annotation = ast.unparse(parameter.annotation) if parameter.annotation else ""
    if name == "connection":
        return f"lent_to_sync({name})"
    if annotation.startswith("Iterable["):
        return f"None if {name} is None else [*{name}]" if "| None" in annotation else f"[*{name}]"
    return name


def _twin(name: str) -> str:
    return f"Sync{name}" if name in _HOMES else name


def _docstring(doc: str) -> str:
    for word, other in _WORDS.items():
        doc = doc.replace(word, other)
    return f'"""{doc}\n"""' if "\n" in doc else f'"""{doc}"""'


def _imports(module: str, text: str) -> list[str]:
    """Return an import for each name that a text uses and does not define."""
    nodes = [*ast.walk(ast.parse(text))]
    used = {one.id for one in nodes if isinstance(one, ast.Name)}
    here = {one.arg for one in nodes if isinstance(one, ast.arg)} | set(vars(builtins))
    here |= {_twin(name) for name in CLASSES[module]}
    return [_import(name) for name in sorted(used - here)]


def _import(name: str) -> str:
    if name in _BY_HAND:
        return f"from {_BY_HAND[name]} import {name}"
    if (twinned := name.removeprefix("Sync")) in _HOMES and twinned != name:
        return f"from pgqueue.client.sync.{_HOMES[twinned]} import {name}"
    if name in _HOMES:
        return f"from {_found(name)[0]} import {name}"
    for tree in _trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and name in {
                n.name for n in node.names
            }:
                return ast.unparse(node).split("import")[0] + f"import {name}"
    raise LookupError(f"no module of the client imports {name}")


def _formatted(text: str) -> str:
    ruff = Path(sysconfig.get_path("scripts")) / "ruff"
    name = ["--stdin-filename", str(FOLDER / "client.py"), "-"]
    for command in (["check", "--quiet", "--fix", "--select", "I"], ["format", "--quiet"]):
        done = subprocess.run(
            [ruff, *command, *name], input=text, stdout=subprocess.PIPE, text=True, check=True
        )
        text = done.stdout
    return text


def main() -> None:
    """Write the modules."""
    for name, text in modules().items():
        (FOLDER / f"{name}.py").write_text(text)
        sys.stdout.write(f"{FOLDER / name}.py\n")


if __name__ == "__main__":
    main()
