"""Run one aggregation from payload to result, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from pgqueue import Context
from pgqueue_tasks.errors import InputRefused

from .file import DataFile, read_file, view_file
from .frame import Column, read_columns
from .guard import check_select
from .models import AggregationPayload
from .query import build_query
from .session import load, open_session, plain_message
from .values import bounded_rows, unique_names

__all__ = ["aggregate"]

_CHUNK = 1024


def aggregate(
    ctx: Context, payload: AggregationPayload, file: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the result as plain JSON data; raise InputRefused for the user's mistakes."""
    source = None if file is None else DataFile(**file)
    columns: list[Column] = []
    if source is None:
        columns = read_columns(payload)
        ctx.progress(20, f"{len(columns[0].values):,} rows read")
    with open_session(None if source is None else source.path) as connection:
        try:
            if source is not None:
                columns = read_file(connection, payload, source)
                ctx.progress(20, "columns read")
            return _answer(ctx, payload, source, connection, columns)
        except duckdb.OutOfMemoryException:
            raise InputRefused("the query needs more memory than a task may use") from None
        except (duckdb.InternalException, duckdb.FatalException):
            raise
        except duckdb.Error as error:
            names = ", ".join(column.name for column in columns[:30])
            shown = f"\nThe columns are: {names}" if names else ""
            raise InputRefused(plain_message(error) + shown) from None


def _answer(
    ctx: Context,
    payload: AggregationPayload,
    source: DataFile | None,
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[Column],
) -> dict[str, Any]:
    sql = payload.sql
    names = [c.name for c in columns] if sql else [f"c{i}" for i in range(len(columns))]
    if source is None:
        load(connection, columns, names)
    else:
        view_file(connection, payload, source, columns, names)
    ctx.progress(40, "table loaded")
    if sql is not None:
        statement = check_select(connection, sql)
        connection.execute("begin transaction read only")
        connection.execute(statement)
        result_names = unique_names([column[0] for column in connection.description or ()])
    else:
        query = build_query(payload, columns)
        connection.execute(query.sql, query.parameters)
        result_names = unique_names(query.names)
    ctx.progress(80, "query running" if sql else "grouped")
    rows, truncated = bounded_rows(result_names, _rows(connection), payload.limit)
    return {
        "columns": result_names,
        "rows": rows,
        "row_count": len(rows),
        "truncated": truncated,
    }


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    while chunk := connection.fetchmany(_CHUNK):
        yield from chunk
