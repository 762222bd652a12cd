"""Decide whether a user's SQL is one SELECT over `data`, by DuckDB's own parser, never by its text.

DuckDB's settings keep files, network and extensions out (session.py). This keeps out what they
leave open: settings and catalogs, data-changing CTEs (DuckDB calls those SELECT too), and table
functions, of which some take raw pointers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from pgqueue_tasks.errors import InputRefused

from .session import plain_message

__all__ = ["check_select"]

_QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_TABLE_FUNCTIONS = {"generate_series", "json_each", "json_tree", "range", "repeat", "unnest"}
_FUNCTIONS = {
    "current_query",
    "current_setting",
    "currval",
    "format_type",
    "get_block_size",
    "getenv",
    "getvariable",
    "json_execute_serialized_sql",
    "nextval",
    "pg_get_constraintdef",
    "pg_get_viewdef",
    "pg_sleep",
    "query",
    "query_table",
    "setval",
    "sleep_ms",
    "write_log",
}


def check_select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The parsed statement; raises InputRefused that says what is not allowed."""
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise InputRefused(f"sql: {plain_message(error)}") from None
    if len(statements) != 1:
        raise InputRefused(
            f"sql: exactly one SELECT is needed, but this has {len(statements)} statements"
        )
    [statement] = statements
    if statement.type != duckdb.StatementType.SELECT:
        raise InputRefused(f"sql: only SELECT is allowed, but this is {statement.type.name}")
    if statement.named_parameters:
        raise InputRefused("sql: parameters ($1, ?) are not allowed")
    for name in sorted(_check_tree(_tree(connection, statement.query))):
        if _exists(connection, name):
            raise InputRefused(f"sql: {name} is DuckDB's own or a file; give the CTE another name")
    return statement


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    try:
        row = connection.execute("select json_serialize_sql(?)", [sql]).fetchone()
        tree = json.loads(row[0]) if row else {"error": True}
    except RecursionError:
        raise InputRefused("sql: nested too deeply") from None
    except duckdb.Error as error:
        raise InputRefused(f"sql: {plain_message(error)}") from None
    if tree["error"]:
        raise InputRefused(f"sql: only plain SELECT is allowed: {tree.get('error_message', '')}")
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _check_tree(tree: Any) -> set[str]:
    """Return the names of tables besides data: each is a CTE's, but maybe not in its scope."""
    nodes = list(_nodes(tree))
    used: set[str] = set()
    ctes = (entry for node in nodes for entry in node.get("cte_map", {}).get("map", ()))
    named = {"data", *(entry["key"].casefold() for entry in ctes)}
    for node in nodes:
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _QUERY_NODES:
            raise InputRefused(f"sql: {kind.removesuffix('_QUERY_NODE')} is not allowed")
        if kind == "SHOW_REF":
            raise InputRefused("sql: SHOW, DESCRIBE and SUMMARIZE are not allowed")
        if kind == "BASE_TABLE":
            path = node["qualified_name"]["path"]
            if len(path) != 1 or path[0].casefold() not in named:
                raise InputRefused(f"sql: no such table: {'.'.join(path)}; the table is data")
            used.add(path[0])
        if kind == "TABLE_FUNCTION":
            _check_function(node["function"], allowed=_TABLE_FUNCTIONS)
        elif "function_name" in node:
            _check_function(node, refused=_FUNCTIONS)
    return {name for name in used if name.casefold() != "data"}


def _exists(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Return whether a name alone is a table, a view or a file.

    If it is none, it can only be a CTE, whatever its scope: DuckDB's own rules of scopes need not
    be known here.
    """
    quoted = name.replace('"', '""')
    try:
        connection.execute(f'select 1 from "{quoted}" limit 0')  # noqa: S608 - a quoted name
    except duckdb.CatalogException:
        return False
    except duckdb.Error:
        return True
    return True


def _check_function(
    node: dict[str, Any],
    allowed: set[str] | None = None,
    refused: frozenset[str] | set[str] = frozenset(),
) -> None:
    name = str(node.get("function_name", "")).casefold()
    if name in refused or (allowed is not None and name not in allowed):
        raise InputRefused(f"sql: the function {name} is not allowed")
