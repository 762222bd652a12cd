"""How a handler is called: which of its parameters take the context and the payload.

Every shape of signature is decided when the type is declared: it is bound, or refused with the
reason. Each annotation is resolved by itself, so that one that only type checkers can import costs
no other parameter its type.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from dataclasses import dataclass
from inspect import Parameter
from typing import TYPE_CHECKING, Any, NoReturn

from pgqueue.errors import UsageError
from pgqueue.handlers.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Signature", "read_signature"]

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_VARIABLE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_SHAPES = "a handler takes (ctx, payload), either of them, or nothing"


@dataclass(frozen=True, slots=True)
class Signature:
    """How to call a handler, and the types of its payload and result (``Any`` without one).

    With ``is_async`` calling it returns a coroutine at once. What any other handler returns may be
    awaitable, too, if a decorator made it.
    """

    call: Callable[[Context, Any], Any]
    is_async: bool
    payload: Any
    result: Any


def read_signature(name: str, handler: Any) -> Signature:
    """Return how the handler of a type is called, or raise ``UsageError`` with the reason."""
    function = handler.__func__ if isinstance(handler, staticmethod) else handler
    _check_callable(name, function)
    described = _described(function)
    try:
        signature = inspect.signature(described, follow_wrapped=False)
    except (NameError, TypeError, ValueError) as error:
        _refuse(name, f"does not say which arguments it takes: {error}")
    hints = _Hints(described)
    fixed = _keywords(described)
    parameters = [p for p in signature.parameters.values() if p.name not in fixed]
    context, payload = _roles(name, parameters, hints)
    return Signature(
        call=_caller(name, function, parameters, (context, payload)),
        is_async=any(map(inspect.iscoroutinefunction, _called(function))),
        payload=Any if payload is None else _payload_type(name, hints.of(payload)),
        result=_result_type(hints.resolve(signature.return_annotation)),
    )


@dataclass(frozen=True, slots=True)
class _Unresolved:
    """An annotation that names what cannot be imported here."""

    text: str
    error: Exception


class _Hints:
    """Resolves the annotations of a callable, in the modules of its function and its wrappers."""

    def __init__(self, described: Any) -> None:
        function = described
        while inner := getattr(function, "func", None) or getattr(function, "__func__", None):
            function = inner
        self._outer = getattr(function, "__globals__", {})
        self._inner = getattr(inspect.unwrap(function), "__globals__", self._outer)

    def of(self, parameter: Parameter) -> Any:
        return self.resolve(parameter.annotation)

    def resolve(self, annotation: Any) -> Any:
        """Return what an annotation means: ``Any`` without one, else maybe ``_Unresolved``."""
        if annotation is Parameter.empty:
            return Any
        holder = types.SimpleNamespace(__annotations__={"it": annotation})
        try:
            return typing.get_type_hints(holder, self._outer, self._inner, include_extras=True)[
                "it"
            ]
        except Exception as error:  # noqa: BLE001  evaluating it may raise anything
            text = annotation if isinstance(annotation, str) else repr(annotation)
            return _Unresolved(text, error)


def _check_callable(name: str, handler: Any) -> None:
    if inspect.isclass(handler):
        _refuse(name, "is a class", "pass an object of it that can be called, or a function")
    if not callable(handler):
        _refuse(
            name,
            f"is not callable: it is of type {type(handler).__name__}",
            "pass a function, a method of an object, or an object that can be called",
        )
    for function in _called(handler):
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            _refuse(
                name,
                "is a generator: it yields",
                "return the result; report what comes before it with ctx.progress or ctx.stream",
            )


def _called(handler: Any) -> tuple[Any, Any]:
    """Return the functions of which one runs: the handler, or the ``__call__`` of an object."""
    return handler, getattr(handler, "__call__", None)  # noqa: B004


def _described(handler: Any) -> Any:
    """Return what says which arguments a handler takes.

    That is the handler itself, or the function around which it is wrapped: a wrapper of ``*args``
    and ``**kwargs`` says nothing of its own.
    """
    if isinstance(handler, functools.partial):
        return functools.partial(_described(handler.func), *handler.args, **handler.keywords)
    if isinstance(handler, types.MethodType):
        return types.MethodType(_described(handler.__func__), handler.__self__)
    if hasattr(handler, "__wrapped__"):
        inner = inspect.unwrap(handler, stop=lambda function: not _takes_anything(function))
        return handler if inner is handler else _described(inner)
    call = getattr(handler, "__call__", None)  # noqa: B004
    return _described(call) if isinstance(call, types.MethodType) else handler


def _takes_anything(function: Any) -> bool:
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (NameError, TypeError, ValueError):
        return True
    return any(p.kind in _VARIABLE for p in parameters)


def _keywords(described: Any) -> set[str]:
    """Return the arguments that a ``functools.partial`` sets by keyword."""
    names: set[str] = set()
    while isinstance(described, functools.partial):
        names |= described.keywords.keys()
        described = described.func
    return names


def _roles(
    name: str, parameters: Sequence[Parameter], hints: _Hints
) -> tuple[Parameter | None, Parameter | None]:
    """Return the parameters that take the context and the payload."""
    if parameters and parameters[0].name in ("self", "cls"):
        owner = parameters[0].name
        _refuse(name, f"is a method without its {owner}", "pass the method of an object: obj.send")
    contexts = [p for p in parameters if _takes_context(p, hints.of(p))]
    others = [p for p in parameters if p not in contexts and p.kind not in _VARIABLE]
    required = [p for p in others if p.default is p.empty]
    optional = [p for p in others if p.default is not p.empty]
    if len(required) == 2 and not contexts:
        first, second = required
        if first.kind in _POSITIONAL and hints.of(first) is Any:
            contexts, required = [first], [second]  # (c, p): by their places
    if len(contexts) > 1:
        _refuse(name, f"takes {len(contexts)} contexts: {_listed(contexts)}")
    if len(required) > 1:
        _refuse(
            name,
            f"takes {len(required)} payloads: {_listed(required)}",
            f"{_SHAPES}: give other parameters a default, or set them with functools.partial",
        )
    if not required and len(optional) > 1:
        required = [p for p in optional if p.name == "payload"]
        if not required:
            _refuse(
                name,
                f"has a default for each of {_listed(optional)}, so which one is the payload?",
                "call it payload, or leave out its default",
            )
    payload = next(iter(required or optional), None)
    if payload is None and (variable := [p for p in parameters if p.kind in _VARIABLE]):
        _refuse(
            name,
            f"takes {variable[0]}, which says nothing about a payload",
            f"{_SHAPES}; decorators use functools.wraps",
        )
    return next(iter(contexts), None), payload


def _takes_context(parameter: Parameter, hint: Any) -> bool:
    """Whether a parameter is for the context, by its annotation or else by its name."""
    if parameter.kind in _VARIABLE:
        return False
    if _means_context(hint):
        return True
    if isinstance(hint, _Unresolved):
        if re.search(r"\bContext\b", hint.text):
            return True
    elif not (hint is Any or hint is object or getattr(hint, "_is_protocol", False)):
        return False  # it is called so, and is of another type
    return parameter.name in ("ctx", "context") and parameter.default in (Parameter.empty, None)


def _means_context(hint: Any) -> bool:
    if typing.get_origin(hint) is typing.Annotated:
        return _means_context(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = set(typing.get_args(hint)) - {types.NoneType}
        return bool(members) and all(map(_means_context, members))
    return hint is Context


def _caller(
    name: str,
    handler: Any,
    parameters: Sequence[Parameter],
    taken: tuple[Parameter | None, Parameter | None],
) -> Callable[[Context, Any], Any]:
    """Return how to call a handler with a context and a payload."""
    places: list[int] = []
    names: dict[str, int] = {}
    leading = True
    for parameter in parameters:
        which = next((n for n, one in enumerate(taken) if one is parameter), None)
        leading = leading and which is not None
        if which is None:
            continue
        if leading and parameter.kind in _POSITIONAL:
            places.append(which)
        elif parameter.kind is Parameter.POSITIONAL_ONLY:
            _refuse(name, f"takes {parameter.name} only behind another one with a default")
        else:
            names[parameter.name] = which
    if places == [0, 1] and not names:
        return typing.cast("Callable[[Context, Any], Any]", handler)

    def call(context: Context, payload: Any) -> Any:
        values = (context, payload)
        return handler(*[values[n] for n in places], **{k: values[n] for k, n in names.items()})

    return call


def _payload_type(name: str, hint: Any) -> Any:
    if isinstance(hint, _Unresolved):
        raise UsageError(
            f"the payload of type {name!r} is annotated with {hint.text}, which cannot be "
            f"resolved: {hint.error}",
            hint="import it at run time, not only under TYPE_CHECKING, and define it in a module",
        ) from hint.error
    return hint


def _result_type(hint: Any) -> Any:
    return Any if isinstance(hint, _Unresolved) else hint


def _listed(parameters: Sequence[Parameter]) -> str:
    return ", ".join(p.name for p in parameters)


def _refuse(name: str, why: str, hint: str = _SHAPES) -> NoReturn:
    raise UsageError(f"the handler of type {name!r} {why}", hint=hint)
