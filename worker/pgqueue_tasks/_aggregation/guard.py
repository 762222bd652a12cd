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
    "getenv",
    "getvariable",
    "json_execute_serialized_sql",
    "nextval",
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
    _check_tree(_tree(connection, statement.query))
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


def _check_tree(tree: Any) -> None:
    nodes = list(_nodes(tree))
    tables = {"data"}
    for node in nodes:
        for entry in node.get("cte_map", {}).get("map", ()):
            tables.add(entry["key"].casefold())
    for node in nodes:
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _QUERY_NODES:
            raise InputRefused(f"sql: {kind.removesuffix('_QUERY_NODE')} is not allowed")
        if kind == "SHOW_REF":
            raise InputRefused("sql: SHOW, DESCRIBE and SUMMARIZE are not allowed")
        if kind == "BASE_TABLE":
            path = [part.strip('"').casefold() for part in node["qualified_name"]["path"]]
            if len(path) != 1 or path[0] not in tables:
                raise InputRefused(f"sql: no such table: {'.'.join(path)}; the table is data")
        if kind == "TABLE_FUNCTION":
            _check_function(node["function"], allowed=_TABLE_FUNCTIONS)
        elif "function_name" in node:
            _check_function(node, refused=_FUNCTIONS)


def _check_function(
    node: dict[str, Any],
    allowed: set[str] | None = None,
    refused: frozenset[str] | set[str] = frozenset(),
) -> None:
    name = str(node.get("function_name", "")).casefold()
    if name in refused or (allowed is not None and name not in allowed):
        raise InputRefused(f"sql: the function {name} is not allowed")
