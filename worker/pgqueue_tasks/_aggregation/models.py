"""Payload and result of `data_aggregation`; the API validates against their JSON Schema."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from pgqueue_tasks._schema import FileRef, MaxKeys, Payload, Scalar, without_null_defaults

__all__ = [
    "Aggregate",
    "AggregationPayload",
    "AggregationResult",
    "Cell",
    "ColumnType",
    "Filter",
    "Order",
]

MAX_TEXT_CHARS = 262_144
MAX_INPUT_ROWS = 50_000
MAX_COLUMNS = 200
MAX_RESULT_ROWS = 10_000

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
ColumnType = Literal["integer", "number", "decimal", "text", "boolean", "date", "timestamp"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Cell = Annotated[bool | int | float | str | None, Scalar()]
Value = Annotated[bool | int | float | str, Scalar(null=False)]


def _one_source_one_question(schema: dict[str, Any]) -> None:
    without_null_defaults(schema)
    schema["allOf"] = [
        {"oneOf": [{"required": [key]} for key in ("rows", "csv", "json", "artifact")]},
        {"oneOf": [{"required": [key]} for key in ("aggregates", "sql")]},
    ]
    schema["dependentSchemas"] = {
        "sql": {"properties": dict.fromkeys(("group_by", "filters", "order_by"), False)}
    }


class Aggregate(Payload):
    """One aggregated value per group."""

    function: Literal[
        "sum", "avg", "min", "max", "count", "count_distinct", "median", "percentile"
    ] = Field(description="What to compute. All functions ignore nulls.")
    column: ColumnName | SkipJsonSchema[None] = Field(
        default=None, description="The column to aggregate; only `count` works without one."
    )
    p: (
        Fraction
        | Annotated[list[Fraction], Field(min_length=1, max_length=20, fail_fast=True)]
        | SkipJsonSchema[None]
    ) = Field(
        default=None,
        description="For `percentile`: a fraction from 0 to 1, or a list of them (a column each). "
        "Between two values the result is interpolated linearly.",
    )
    alias: ColumnName | SkipJsonSchema[None] = Field(
        default=None,
        alias="as",
        description="Name of the result column; by default `sum_amount`, `count`, `p95_ms`.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Aggregate:
        if self.column is None and self.function != "count":
            raise ValueError(f"{self.function} needs a column")
        if (self.p is not None) != (self.function == "percentile"):
            raise ValueError("p is required for percentile and not allowed for other functions")
        if self.alias is not None and isinstance(self.p, list):
            raise ValueError(
                "as names one column; with a list of p the columns are called p50_…, p95_…: "
                "leave out as, or pass one p"
            )
        return self

    def outputs(self) -> list[tuple[str, float | None]]:
        """The result columns: name, and the fraction of a percentile."""
        if self.p is None:
            default = self.function if self.column is None else f"{self.function}_{self.column}"
            return [(self.alias or default, None)]
        fractions = self.p if isinstance(self.p, list) else [self.p]
        return [(self.alias or f"p{p * 100:.10g}_{self.column}", p) for p in fractions]


class Filter(Payload):
    """A condition on one column; rows must pass all filters. Null passes `is_null` only."""

    column: ColumnName = Field(description="The column to compare.")
    op: Literal[
        "=", "!=", "<", "<=", ">", ">=", "in", "not_in", "contains", "is_null", "not_null"
    ] = Field(description="`contains` is a case-sensitive substring test on text.")
    value: (
        Value
        | Annotated[list[Value], Field(min_length=1, max_length=1000, fail_fast=True)]
        | SkipJsonSchema[None]
    ) = Field(
        default=None,
        description="What to compare with: a list for `in` and `not_in`, nothing for `is_null` and "
        "`not_null`, else one value. Dates and timestamps are ISO 8601 text.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Filter:
        if self.op in {"is_null", "not_null"}:
            if self.value is not None:
                raise ValueError(f"{self.op} takes no value")
        elif self.op in {"in", "not_in"}:
            if not isinstance(self.value, list):
                raise ValueError(f"{self.op} takes a list")
        elif self.value is None or isinstance(self.value, list):
            raise ValueError(f"{self.op} takes one value that is not null (is_null tests for null)")
        return self


class Order(Payload):
    """A result column to sort by; nulls come last."""

    column: ColumnName = Field(description="A grouped column or the name of an aggregate.")
    descending: bool = Field(default=False, description="Largest first.")


class AggregationPayload(Payload):
    """Rows to aggregate, as objects or as CSV or JSON text, and what to compute from them."""

    model_config = ConfigDict(json_schema_extra=_one_source_one_question, title="data_aggregation")

    rows: (
        Annotated[
            list[Annotated[dict[ColumnName, Cell], MaxKeys(MAX_COLUMNS)]],
            Field(min_length=1, max_length=MAX_INPUT_ROWS, fail_fast=True),
        ]
        | SkipJsonSchema[None]
    ) = Field(default=None, description="The rows themselves; a key that a row lacks is null.")
    csv: (
        Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS)]
        | SkipJsonSchema[None]
    ) = Field(
        default=None, description="CSV text (RFC 4180) with the column names in its first line."
    )
    json_text: (
        Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS)]
        | SkipJsonSchema[None]
    ) = Field(
        default=None,
        alias="json",
        description="JSON text: an array of objects, or one object per line. Nested values become "
        "text.",
    )
    artifact: FileRef | SkipJsonSchema[None] = Field(
        default=None,
        description="A CSV, gzipped CSV or Parquet file: the id of an upload (POST /v1/artifacts), "
        "or a file that a task saved.",
    )
    delimiter: Literal[",", ";", "\t", "|"] = Field(
        default=",", description="What separates the fields of a CSV."
    )
    types: Annotated[dict[ColumnName, ColumnType], MaxKeys(MAX_COLUMNS)] = Field(
        default_factory=dict,
        description="Types of columns where the detected one is not wanted: `decimal` for exact "
        "money (10 places), `text` for codes, `date` and `timestamp` for ISO 8601 text in `rows`.",
    )
    filters: list[Filter] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=50,
        description="Only rows that pass all filters are counted.",
    )
    group_by: list[ColumnName] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=20,
        description="There is one result row for each combination of their values.",
    )
    aggregates: (
        Annotated[list[Aggregate], Field(min_length=1, max_length=50, fail_fast=True)]
        | SkipJsonSchema[None]
    ) = Field(default=None, description="The values to compute.")
    order_by: list[Order] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=20,
        description="By default the grouped columns.",
    )
    sql: (
        Annotated[str, StringConstraints(min_length=1, max_length=16_384)] | SkipJsonSchema[None]
    ) = Field(
        default=None,
        description="Instead of `aggregates`: one SELECT in DuckDB's SQL over the table `data`.",
    )
    limit: int = Field(
        default=1000, ge=1, le=MAX_RESULT_ROWS, description="The maximum number of result rows."
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> AggregationPayload:
        if (
            sum(
                source is not None
                for source in (self.rows, self.csv, self.json_text, self.artifact)
            )
            != 1
        ):
            raise ValueError("pass exactly one of rows, csv, json, artifact")
        if (self.aggregates is None) == (self.sql is None):
            raise ValueError("pass either aggregates or sql")
        if self.sql is not None and (self.group_by or self.filters or self.order_by):
            raise ValueError("group_by, filters and order_by belong to aggregates, not to sql")
        names = Counter(name for item in self.aggregates or [] for name, _ in item.outputs())
        names.update(self.group_by)
        if twice := sorted(name for name, times in names.items() if times > 1):
            raise ValueError(f"two result columns would be called {', '.join(twice)}: use as")
        if missing := [order.column for order in self.order_by if order.column not in names]:
            raise ValueError(f"order_by: {', '.join(missing)}: not a result column")
        return self


class AggregationResult(Payload):
    """The result. A number that JSON readers would round (beyond 2^53) becomes text."""

    columns: list[str] = Field(description="Names of the result columns, in order.")
    rows: list[dict[str, Any]] = Field(description="One object per row, keyed by column.")
    row_count: int = Field(description="How many rows are in `rows`.")
    truncated: bool = Field(
        description="Whether rows or parts of texts were left out to stay within the limits."
    )
