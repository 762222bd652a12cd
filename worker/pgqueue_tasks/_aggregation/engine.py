"""Run one aggregation from payload to result. Blocking; no asyncio."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
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

__all__ = ["Aggregation", "Progress", "aggregate"]

Progress = Callable[[float, str], object]

_CHUNK = 1024


def aggregate(
    ctx: Context, payload: AggregationPayload, file: dict[str, Any] | None
) -> dict[str, Any]:
    """Run one aggregation in a process of its own."""
    return Aggregation(payload, ctx.progress, None if file is None else DataFile(**file)).run()


class Aggregation:
    """One run; `stop` may be called from another thread at any time, as often as needed."""

    def __init__(
        self, payload: AggregationPayload, progress: Progress, file: DataFile | None = None
    ) -> None:
        self._payload = payload
        self._file = file
        self._progress = progress
        self._stopped = threading.Event()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def stop(self) -> None:
        """Make `run` raise soon. Repeat until it has: an interrupt between two queries is lost."""
        self._stopped.set()
        if self._connection is not None:
            with contextlib.suppress(duckdb.ConnectionException):  # `run` is closing it
                self._connection.interrupt()

    def run(self) -> dict[str, Any]:
        """Return the result as plain JSON data; raise InputRefused for the user's mistakes."""
        columns: list[Column] = []
        if self._file is None:
            columns = read_columns(self._payload)
            self._report(20, f"{len(columns[0].values):,} rows read")
        self._connection = open_session(None if self._file is None else self._file.path)
        try:
            if self._file is not None:
                columns = read_file(self._connection, self._payload, self._file)
                self._report(20, "columns read")
            return self._query(self._connection, columns)
        except duckdb.InterruptException:
            raise
        except duckdb.OutOfMemoryException:
            raise InputRefused("the query needs more memory than a task may use") from None
        except (duckdb.InternalException, duckdb.FatalException):
            raise
        except duckdb.Error as error:
            names = ", ".join(column.name for column in columns[:30])
            shown = f"\nThe columns are: {names}" if names else ""
            raise InputRefused(plain_message(error) + shown) from None
        finally:
            self._connection.close()

    def _query(
        self, connection: duckdb.DuckDBPyConnection, columns: Sequence[Column]
    ) -> dict[str, Any]:
        payload = self._payload
        sql = payload.sql
        names = [c.name for c in columns] if sql else [f"c{i}" for i in range(len(columns))]
        if self._file is None:
            load(connection, columns, names)
        else:
            view_file(connection, payload, self._file, columns, names)
        self._report(40, "table loaded")
        if sql is not None:
            statement = check_select(connection, sql)
            connection.execute("begin transaction read only")
            connection.execute(statement)
            result_names = unique_names([column[0] for column in connection.description or ()])
        else:
            query = build_query(payload, columns)
            connection.execute(query.sql, query.parameters)
            result_names = unique_names(query.names)
        self._report(80, "query running" if sql else "grouped")
        rows, truncated = bounded_rows(result_names, self._rows(connection), payload.limit)
        return {
            "columns": result_names,
            "rows": rows,
            "row_count": len(rows),
            "truncated": truncated,
        }

    def _rows(self, connection: duckdb.DuckDBPyConnection) -> Any:
        while chunk := connection.fetchmany(_CHUNK):
            yield from chunk

    def _report(self, percent: float, message: str) -> None:
        if self._stopped.is_set():
            raise InterruptedError
        self._progress(percent, message)
