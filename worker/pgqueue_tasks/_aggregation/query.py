"""The SQL of the structured form.

Physical names are ours (c0, r0); the user's names and values never enter the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgqueue_tasks.errors import InputRefused

from .convert import convert
from .frame import Column, unknown_columns
from .models import Aggregate, AggregationPayload, Filter

__all__ = ["Query", "build_query"]

_NUMERIC = {"integer", "number", "decimal"}
_COMPARE = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class Query:
    """SQL text with parameters, and the user's names for its result columns."""

    def __init__(self, sql: str, parameters: list[Any], names: list[str]) -> None:
        self.sql, self.parameters, self.names = sql, parameters, names


def build_query(payload: AggregationPayload, columns: Sequence[Column]) -> Query:
    """One SELECT over `data` with columns c0, c1 …; raises InputRefused for unknown names."""
    known = {column.name: (f"c{i}", column) for i, column in enumerate(columns)}

    def find(where: str, name: str) -> tuple[str, Column]:
        if name not in known:
            raise InputRefused(unknown_columns(where, [name], known))
        return known[name]

    names: list[str] = []
    outputs: list[str] = []
    for name in payload.group_by:
        outputs.append(find("group_by", name)[0])
        names.append(name)
    for item in payload.aggregates or []:
        target = None if item.column is None else find("aggregates", item.column)
        for name, p in item.outputs():
            outputs.append(_aggregate(item, target, p))
            names.append(name)

    conditions: list[str] = []
    parameters: list[Any] = []
    for condition in payload.filters:
        physical, column = find("filters", condition.column)
        text, values = _condition(condition, physical, column)
        conditions.append(text)
        parameters += values

    orders = [
        f"r{names.index(o.column)} {'desc' if o.descending else 'asc'} nulls last"
        for o in payload.order_by
    ] + [f"r{i} asc nulls last" for i in range(len(payload.group_by))]
    selected = ", ".join(f"{expression} as r{i}" for i, expression in enumerate(outputs))
    sql = f"select {selected} from data"  # noqa: S608 - made of our own names only
    if conditions:
        sql += " where " + " and ".join(conditions)
    if payload.group_by:
        sql += " group by " + ", ".join(outputs[: len(payload.group_by)])
    if orders:
        sql += " order by " + ", ".join(orders)
    return Query(f"{sql} limit {payload.limit + 1}", parameters, names)


def _aggregate(item: Aggregate, target: tuple[str, Column] | None, p: float | None) -> str:
    if target is None:
        return "count(*)"
    physical, column = target
    number = f"{physical}::double"
    if item.function in {"sum", "avg", "median", "percentile"} and column.type not in _NUMERIC:
        raise InputRefused(
            f"aggregates: {item.function} needs numbers, "
            f"but column {column.name!r} is {column.type}"
        )
    # Compensated summation: 0.1 ten times is 1.0, whatever the order of the rows.
    total = f"fsum({physical})" if column.type == "number" else f"sum({physical})"
    return {
        "sum": total,
        "avg": f"{total}::double / count({physical})",
        "min": f"min({physical})",
        "max": f"max({physical})",
        "count": f"count({physical})",
        "count_distinct": f"count(distinct {physical})",
        "median": f"quantile_cont({number}, 0.5)",
        "percentile": f"quantile_cont({number}, {p!r})",
    }[item.function]


def _condition(item: Filter, physical: str, column: Column) -> tuple[str, list[Any]]:
    if item.op == "is_null":
        return f"{physical} is null", []
    if item.op == "not_null":
        return f"{physical} is not null", []
    if item.op == "contains":
        if column.type != "text" or not isinstance(item.value, str):
            raise InputRefused(
                f"filters: contains compares texts, but column {column.name!r} is {column.type}"
            )
        return f"contains({physical}, ?)", [item.value]
    wanted = item.value if isinstance(item.value, list) else [item.value]
    values = [_comparable(value, column) for value in wanted]
    if item.op in {"in", "not_in"}:
        marks = ", ".join("?" * len(values))
        return f"{physical} {'in' if item.op == 'in' else 'not in'} ({marks})", values
    return f"{physical} {_COMPARE[item.op]} ?", values


def _comparable(value: Any, column: Column) -> Any:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "boolean": isinstance(value, bool),
        "text": isinstance(value, str),
        "date": isinstance(value, str),
        "timestamp": isinstance(value, str),
    }.get(column.type, numeric)
    if not fits:
        raise InputRefused(
            f"filters: column {column.name!r} is {column.type}, not comparable with {value!r}"
        )
    if column.type == "integer" and isinstance(value, float):
        return value
    return convert(f"filters: {column.name}", column.type, [value])[0]
