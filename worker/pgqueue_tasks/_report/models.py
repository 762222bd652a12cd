"""Payload and result of `pdf_report`; the API validates against their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from pgqueue_tasks._schema import Payload, Scalar

__all__ = [
    "Cell",
    "Chart",
    "ReportPayload",
    "ReportResult",
    "Section",
    "Series",
    "Table",
    "TaskTable",
]

MAX_CELLS = 10_000
MAX_COLUMNS = 12

Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Label = Annotated[str, StringConstraints(max_length=80)]
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
# Beyond 2^53 readers of JSON round: such numbers come as text.
Cell = Annotated[bool | int | float | str | None, Scalar(max_length=20_000, max_number=2**53 - 1)]


class Table(Payload):
    """Columns of numbers are set flush right with the same number of decimals."""

    caption: Line | SkipJsonSchema[None] = Field(
        default=None, description="Printed above the table."
    )
    columns: list[Label] = Field(
        fail_fast=True, min_length=1, max_length=MAX_COLUMNS, description="The header row."
    )
    rows: list[Annotated[list[Cell], Field(max_length=MAX_COLUMNS, fail_fast=True)]] = Field(
        fail_fast=True,
        max_length=5000,
        description="Each has as many cells as `columns`; null is an empty cell.",
    )
    total: bool = Field(default=False, description="Whether the last row is a total, set apart.")

    @model_validator(mode="after")
    def _rectangular(self) -> Table:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} has {len(row)} cells, but {len(self.columns)} columns are named"
                )
        return self


class Series(Payload):
    """A line, the bars of one colour, or the slices of a pie."""

    name: Label = Field(default="", description="Shown in the legend when there are several.")
    values: list[Number | None] = Field(
        fail_fast=True,
        min_length=1,
        max_length=200,
        description="One for each label; null is a gap.",
    )


class Chart(Payload):
    """A chart over labels."""

    type: Literal["bar", "line", "pie"] = Field(description="A pie has one series, none negative.")
    title: Line | SkipJsonSchema[None] = Field(default=None, description="Printed above the chart.")
    unit: Label = Field(default="", description="The unit of the values, such as EUR or ms.")
    labels: list[Label] = Field(
        fail_fast=True,
        min_length=1,
        max_length=200,
        description="The horizontal axis, or the slices.",
    )
    series: list[Series] = Field(fail_fast=True, min_length=1, max_length=6)

    @model_validator(mode="after")
    def _complete(self) -> Chart:
        for series in self.series:
            if len(series.values) != len(self.labels):
                raise ValueError(
                    f"series {series.name!r} has {len(series.values)} values "
                    f"for {len(self.labels)} labels"
                )
        if self.type == "pie":
            values = self.series[0].values
            if len(self.series) != 1 or len(values) > 12:
                raise ValueError("a pie must have one series of at most 12 values")
            if any(v is None or v < 0 for v in values) or not any(values):
                raise ValueError("the values of a pie must be positive or 0, and not all 0")
        return self


class TaskTable(Payload):
    """A table of the result of a task that this one depends on, such as `data_aggregation`."""

    task_id: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
        ]
        | SkipJsonSchema[None]
    ) = Field(default=None, description="By default the first task in `depends_on`.")
    caption: Line | SkipJsonSchema[None] = Field(
        default=None, description="Printed above the table."
    )
    chart: Literal["bar", "line", "pie"] | SkipJsonSchema[None] = Field(
        default=None,
        description="Draw a chart, too: the first column has the labels, the other columns of "
        "numbers the values.",
    )


class Section(Payload):
    """A heading and its content: paragraphs, then charts, then tables."""

    heading: Line | SkipJsonSchema[None] = Field(
        default=None, description="Listed in the contents and the outline."
    )
    paragraphs: list[Annotated[str, StringConstraints(max_length=50_000)]] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=1000,
        description="Plain text, shown as it is; a newline breaks the line.",
    )
    charts: list[Chart] = Field(fail_fast=True, default_factory=list, max_length=20)
    tables: list[Table] = Field(fail_fast=True, default_factory=list, max_length=50)
    results: list[TaskTable] = Field(
        fail_fast=True,
        default_factory=list,
        max_length=20,
        description="Tables of the results of other tasks.",
    )


class ReportPayload(Payload):
    """A report. All text is plain text: no character has a special meaning."""

    model_config = ConfigDict(title="pdf_report")

    title: Line = Field(
        description="Printed at the top of the first page, and stored in the PDF's metadata."
    )
    subtitle: Line | SkipJsonSchema[None] = Field(
        default=None, description="Printed under the title."
    )
    author: Line | SkipJsonSchema[None] = Field(
        default=None, description="Printed under the title."
    )
    date: (
        Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
        | SkipJsonSchema[None]
    ) = Field(
        default=None,
        description="ISO 8601. With a date, the same payload always produces the same bytes.",
    )
    paper: Literal["a4", "us-letter"] = "a4"
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = Field(
        default="en", description="ISO 639-1 code; decides hyphenation and the direction of text."
    )
    contents: bool = Field(
        default=False, description="Whether to add a table of contents at the front."
    )
    sections: list[Section] = Field(fail_fast=True, default_factory=list, max_length=200)

    @model_validator(mode="after")
    def _bounded(self) -> ReportPayload:
        tables = [table for section in self.sections for table in section.tables]
        cells = sum(len(table.rows) * len(table.columns) for table in tables)
        if cells > MAX_CELLS:
            raise ValueError(f"{cells:,} table cells; at most {MAX_CELLS:,} are allowed")
        if sum(len(section.charts) for section in self.sections) > 50:
            raise ValueError("at most 50 charts are allowed")
        return self


class ReportResult(Payload):
    """The artifact with the PDF, and its properties."""

    artifact: str = Field(description="Its name under /v1/tasks/{id}/artifacts/.")
    pages: int
    bytes: int
    sha256: str = Field(description="The hash of the PDF, in hexadecimal.")
