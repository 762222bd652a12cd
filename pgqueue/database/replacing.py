"""Installs the functions and views of a release while those of the previous one are in use.

A function that is replaced in place keeps its identity, so calls that run and plans that are
prepared never miss it. One whose arguments or result differ cannot be replaced in place: a second
one beside it would make calls ambiguous, and a dropped one fails the calls that are under way. So
it is *retired*: moved to the schema ``pgqueue_retired``, where those calls still find it and new
ones do not; the next migration that brings functions drops it. See docs/adr/0011.

A view is touched only when its text changed, and its columns are replaced in place where they are
the same or more; otherwise it is dropped and created again, with its grants, unless a view of the
user's depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from pgqueue.database.queries import query
from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["replace_functions", "replace_views"]


def replace_functions(
    connection: psycopg.Connection[Any], functions: Sequence[tuple[str, str]]
) -> None:
    """Make the schemas hold these functions (name, text) and no others, inside a transaction."""
    _execute_each(connection, "drop_retired")
    before = dict(connection.execute(query("our_functions")).fetchall())
    for name, text in functions:
        try:
            with connection.transaction():
                connection.execute(text)
        except (
            psycopg.errors.InvalidFunctionDefinition,  # its result, or its arguments' names, differ
            psycopg.errors.AmbiguousFunction,  # its arguments differ: its comment is for two
        ):
            named = connection.execute(query("functions_named"), {"name": name}).fetchall()
            _retire(connection, _untouched(before, named))
            connection.execute(text)
    after = connection.execute(query("our_functions")).fetchall()
    _retire(connection, _untouched(before, after))
    # a replaced function has lost its settings until here, which no other session sees
    _execute_each(connection, "set_planner")


def replace_views(
    connection: psycopg.Connection[Any], views: Mapping[str, str], changed: Iterable[str]
) -> None:
    """Make the schemas hold these views and no others, inside a transaction.

    Raise ``UsageError`` if an object of the user's depends on a view that must be dropped.
    """
    there = dict(connection.execute(query("our_views")).fetchall())
    stale = {name for name, is_stale in there.items() if is_stale}
    grants = [drop for name in there.keys() - views.keys() for drop in _drop(connection, name)]
    for name in sorted(views.keys() & there.keys() & (stale | set(changed))):
        try:
            with connection.transaction():
                connection.execute(views[name])
        except psycopg.errors.InvalidTableDefinition:
            grants += _drop(connection, name)
    there = dict(connection.execute(query("our_views")).fetchall())
    for name, text in views.items():
        if name not in there:
            connection.execute(text)
    for grant in grants:
        connection.execute(grant)


def _untouched(before: Mapping[int, str], now: Iterable[tuple[int, str]]) -> list[int]:
    return [oid for oid, xmin in now if before.get(oid) == xmin]


def _retire(connection: psycopg.Connection[Any], functions: list[int]) -> None:
    _execute_each(connection, "retire_functions", functions=functions)


def _drop(connection: psycopg.Connection[Any], view: str) -> list[str]:
    """Drop a view and our views that depend on it; return the grants on them."""
    found = connection.execute(query("views_upon"), {"view": view}).fetchall()
    views = {"views": [name for (name,) in found]}
    if not found:
        return []  # it was dropped with a view that it depended on
    grants = connection.execute(query("grants_on"), views).fetchall()
    try:
        _execute_each(connection, "drop_views", **views)
    except psycopg.errors.DependentObjectsStillExist as error:
        message = f"the columns of the view {view} change, and {error.diag.message_detail}"
        hint = "drop what depends on it, run `pgqueue migrate`, and create it again"
        raise UsageError(message, hint=hint) from error
    return [grant for (grant,) in grants]


def _execute_each(connection: psycopg.Connection[Any], name: str, **parameters: object) -> None:
    """Execute the statements that a query returns."""
    for (statement,) in connection.execute(query(name), parameters).fetchall():
        connection.execute(statement)
