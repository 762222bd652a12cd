"""The PDF that pdf_report makes, opened again."""

import hashlib
import io
import json
import math
import tracemalloc

import hypothesis.strategies as st
import pypdf
import pytest
from hypothesis import given, settings
from pgqueue_tasks._report.document import document
from pgqueue_tasks._report.models import MAX_CELLS
from pgqueue_tasks._report.results import with_results
from pgqueue_tasks._report.scale import decimals_of, format_number, scale_for
from pgqueue_tasks.errors import InputRefused
from pgqueue_tasks.pdf_report import ReportPayload, pdf_report
from pydantic import ValidationError

from tests.tasks.recording import RecordingContext


async def make(**payload):
    """The result, the opened PDF, and all its text without line breaks and break opportunities."""
    ctx = RecordingContext()
    result = await pdf_report(ctx, ReportPayload.model_validate({"title": "T"} | payload))
    data, content_type = ctx.artifacts["report.pdf"]
    assert content_type == "application/pdf"
    assert (result.bytes, result.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert ctx.progress_calls[-1][0] == 100
    reader = pypdf.PdfReader(io.BytesIO(data))
    assert result.pages == len(reader.pages)
    text = " ".join(page.extract_text() for page in reader.pages)
    return result, reader, " ".join(text.replace("\u200b", "").split())


TABLE = {
    "caption": "By region",
    "columns": ["Region", "Orders", "Share"],
    "rows": [["North", 10412, 0.5], ["South", 7210, 0.25], ["All", 17622, -1]],
    "total": True,
}
CHARTS = [
    {"type": kind, "title": f"A {kind}", "unit": "ms", "labels": ["q1", "q2"], "series": series}
    for kind, series in (
        ("bar", [{"name": "one", "values": [1, -2]}, {"name": "two", "values": [3, None]}]),
        ("line", [{"name": "one", "values": [1.5, 2]}]),
        ("pie", [{"values": [3, 1]}]),
    )
]


async def test_every_part_of_the_payload_is_in_the_text_of_the_pdf():
    result, reader, text = await make(
        title="Quarterly revenue",
        subtitle="All of it",
        author="Finance",
        date="2026-07-01",
        contents=True,
        sections=[
            {
                "heading": "Summary",
                "paragraphs": ["First.\n\nSecond."],
                "tables": [TABLE],
                "charts": CHARTS,
            }
        ],
    )
    for part in (
        "Quarterly revenue",
        "All of it",
        "Finance",
        "2026-07-01",
        "Summary",
        "First.",
        "Second.",
        "By region",
        "Region",
        "10,412",
        "7,210",
        "0.50",
        "\u22121.00",
        "A bar",
        "A line",
        "A pie",
        "75.0%",
        "q1",
        "one",
        "two",
    ):
        assert part in text, part
    assert f"1 / {result.pages}" in text
    assert reader.metadata.title == "Quarterly revenue"
    assert reader.metadata.author == "Finance"


async def test_a_title_alone_makes_one_page():
    result, _, text = await make(title="Only this")
    assert result.pages == 1
    assert "Only this" in text


HOSTILE = [
    '#panic("x")',
    '#eval("1+1")',
    '#read("/etc/passwd")',
    '#import "@preview/cetz:0.3.0": *',
    '#include "/etc/passwd"',
    "$x^2$ $ sum $",
    "`code` ```raw```",
    "@reference <label>",
    "*bold* _emphasis_ = heading",
    "- list + enum / term: x",
    "\\ \\u{1f600} // comment /* block */",
    "https://example.org/#x",
    '{"json": "]}"} \'" --',
    "[content] #[x] #{1}",
    "~ -- --- ... -?",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_goes_to_the_template_as_the_same_text(text):
    made = document(ReportPayload(title=text, sections=[{"heading": text, "paragraphs": [text]}]))
    seen = [made["title"], made["sections"][0]["heading"], made["sections"][0]["paragraphs"][0][0]]
    assert {value.replace("\u200b", "") for value in seen} == {text}


async def test_markup_is_shown_and_never_run_wherever_it_stands():
    _, _, text = await make(
        title=HOSTILE[0],
        subtitle=HOSTILE[1],
        author=HOSTILE[2],
        sections=[
            {
                "heading": hostile,
                "paragraphs": [hostile],
                "tables": [{"caption": hostile, "columns": [hostile], "rows": [[hostile]]}],
                "charts": [
                    {
                        "type": kind,
                        "title": hostile,
                        "unit": hostile,
                        "labels": [hostile],
                        "series": [{"name": hostile, "values": [1]}],
                    }
                    for kind in ("bar", "line", "pie")
                ],
            }
            for hostile in HOSTILE
        ],
    )
    squeezed = text.replace(" ", "")
    for hostile in HOSTILE:
        assert squeezed.count(hostile.replace(" ", "")) >= 4, hostile
    assert "root:" not in text


@pytest.mark.parametrize(
    "text",
    [
        "".join(map(chr, range(1, 32))) + "\x7f\x85 end",
        "\u202eoverride\u202c \u2066isolate\u2069",
        "مرحبا بالعالم שלום",
        "😀 👩\u200d👩\u200d👧 🏳️\u200d🌈 é (e\u0301)",
        "中文 日本語 한국어",
        "\ufffe\uffff\ufdd0 \U0010ffff",
        "\u2028\u2029\u200b\u200d\ufeff",
        "W" * 10_000,
        "\u0301" * 500,
        "\n" * 500,
        "a\n\n\nb",
    ],
)
async def test_any_characters_make_a_pdf(text):
    result, _, _ = await make(
        title=text[:200],
        sections=[
            {
                "heading": text[:200],
                "paragraphs": [text],
                "tables": [{"columns": [text[:80], "b"], "rows": [[text, 1]]}],
                "charts": [
                    {"type": "bar", "labels": [text[:80]], "series": [{"values": [1]}]},
                ],
            }
        ],
    )
    assert result.pages < 40


async def test_a_word_of_ten_thousand_letters_breaks_and_none_is_lost():
    _, _, text = await make(sections=[{"paragraphs": ["W" * 10_000]}])
    assert text.count("W") == 10_000


@pytest.mark.parametrize("kind", ["bar", "line", "pie"])
@pytest.mark.parametrize(
    "values",
    [[0.0], [0, 0, 0, 1], [1e15, 1e-9], [5, 5, 5], [1], list(range(1, 13))],
)
async def test_charts_of_extreme_values_are_drawn(kind, values):
    if kind == "pie" and not any(values):
        values = [1e-9]
    chart = {"type": kind, "labels": ["x"] * len(values), "series": [{"values": values}]}
    result, _, _ = await make(sections=[{"charts": [chart]}])
    assert result.pages == 1


async def test_charts_without_any_value_or_below_zero_are_drawn():
    charts = [
        {"type": kind, "labels": ["a", "b"], "series": [{"values": values}]}
        for kind in ("bar", "line")
        for values in ([None, None], [-5, -1], [-1e15, 1e15])
    ]
    crowd = {
        "type": "bar",
        "labels": [f"label {i}" for i in range(200)],
        "series": [{"name": str(s), "values": list(range(200))} for s in range(6)],
    }
    result, _, _ = await make(sections=[{"charts": [*charts, crowd]}])
    assert result.pages <= 4


@pytest.mark.timeout(120)
async def test_the_largest_table_stays_far_below_the_timeout_and_repeats_its_header():
    rows = [[f"row {i}", i, i / 7, "text"] for i in range(MAX_CELLS // 4)]
    table = {"columns": ["Name", "Number", "Part", "Note"], "rows": rows}
    result, reader, _ = await make(sections=[{"tables": [table]}])
    assert result.pages > 20
    assert all("Number" in page.extract_text() for page in reader.pages)
    assert result.bytes < 8 << 20


async def test_a_dated_report_has_the_same_bytes_at_every_attempt():
    payload = {"date": "2026-07-01", "sections": [{"paragraphs": ["x"], "charts": CHARTS}]}
    first, _, _ = await make(**payload)
    second, _, _ = await make(**payload)
    assert first.sha256 == second.sha256


async def test_a_day_no_calendar_has_is_refused():
    with pytest.raises(InputRefused, match="date"):
        await make(date="2026-02-30")


@pytest.mark.parametrize(
    "payload",
    [
        {"title": ""},
        {"title": "x" * 201},
        {"date": "July"},
        {"paper": "../../etc"},
        {"language": "en;"},
        {"sections": [{"tables": [{"columns": ["a"], "rows": [[1, 2]]}]}]},
        {"sections": [{"tables": [{"columns": [], "rows": []}]}]},
        {"sections": [{"tables": [{"columns": ["a"] * 12, "rows": [[1] * 12] * 834}]}]},
        {"sections": [{"charts": [{"type": "bar", "labels": ["a"], "series": []}]}]},
        {
            "sections": [
                {"charts": [{"type": "bar", "labels": ["a"], "series": [{"values": [1, 2]}]}]}
            ]
        },
        {
            "sections": [
                {"charts": [{"type": "pie", "labels": ["a"], "series": [{"values": [-1]}]}]}
            ]
        },
        {"sections": [{"charts": [{"type": "pie", "labels": ["a"], "series": [{"values": [0]}]}]}]},
        {
            "sections": [
                {"charts": [{"type": "bar", "labels": ["a"], "series": [{"values": [math.inf]}]}]}
            ]
        },
        {"sections": [{"surprise": 1}]},
    ],
)
def test_a_payload_out_of_bounds_is_invalid(payload):
    with pytest.raises(ValidationError):
        ReportPayload.model_validate({"title": "T"} | payload)


@pytest.mark.parametrize(
    ("value", "decimals", "grouped", "text"),
    [
        (2026, 0, False, "2026"),
        (10412, 0, True, "10,412"),
        (-1234567.891, 2, True, "\u22121,234,567.89"),
        (-0.001, 2, False, "0.00"),
        (1e15, 0, True, "1,000,000,000,000,000"),
    ],
)
def test_numbers_are_written_as_in_print(value, decimals, grouped, text):
    assert format_number(value, decimals, grouped=grouped) == text


@pytest.mark.parametrize(("value", "places"), [(1, 0), (1.0, 0), (0.5, 1), (1 / 3, 4), (1e-9, 0)])
def test_a_number_has_as_many_decimals_as_it_needs_up_to_four(value, places):
    assert decimals_of(value) == places


@settings(max_examples=300)
@given(
    values=st.lists(st.floats(-1e15, 1e15, allow_subnormal=False), max_size=20),
    with_zero=st.booleans(),
)
def test_the_axis_encloses_all_values_with_few_round_ticks(values, with_zero):
    scale = scale_for(values, with_zero=with_zero)
    assert 2 <= len(scale.ticks) <= 9
    assert list(scale.ticks) == sorted(set(scale.ticks))
    assert all(-1e-6 <= scale.position(v) <= 1 + 1e-6 for v in values)
    if with_zero:
        assert scale.ticks[0] <= 0 <= scale.ticks[-1]


def parent(id, result):
    return json.dumps(
        {
            "id": id,
            "type": "data_aggregation",
            "status": "completed",
            "result": result,
            "error": None,
        }
    )


FIRST, SECOND = (f"0198c0de-0000-7000-8000-00000000000{n}" for n in "ab")
SUMS = {
    "columns": ["region", "sum"],
    "rows": [{"region": "north", "sum": 22012}, {"region": "south", "sum": 80}],
}


async def test_what_a_task_came_to_is_shown_as_a_table_and_a_chart():
    ctx = RecordingContext()
    ctx.recorder.parents = [parent(FIRST, {"rows": []}), parent(SECOND, SUMS)]
    asked = {"task_id": SECOND, "caption": "Sums of regions", "chart": "bar"}
    payload = {"title": "t", "sections": [{"heading": "h", "results": [asked]}]}
    await pdf_report(ctx, ReportPayload.model_validate(payload))
    data, _ = ctx.artifacts["report.pdf"]
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    assert all(part in text for part in ("Sums of regions", "north", "22,012"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"task_id": FIRST.replace("a", "c")}, "name it in depends_on"),
        ({"task_id": FIRST}, "has no rows"),
    ],
)
async def test_a_result_that_is_not_there_is_refused(asked, said):
    ctx = RecordingContext()
    ctx.recorder.parents = [parent(FIRST, None), parent(SECOND, SUMS)]
    payload = {"title": "t", "sections": [{"results": [asked]}]}
    with pytest.raises(InputRefused, match=said):
        await pdf_report(ctx, ReportPayload.model_validate(payload))


def rows_of(columns, rows):
    return {"rows": [{f"k{c}": 1 for c in range(columns)} for _ in range(rows)]}


@pytest.mark.parametrize(
    ("result", "times", "said"),
    [
        ({"rows": [{f"k{n}": 1} for n in range(13_000)]}, 1, "at most 12 columns"),
        ({"rows": [{}] * 9, "columns": [f"k{n}" for n in range(20_000)]}, 1, "at most 12 columns"),
        (rows_of(2, 5_001), 1, "more than 10,000 table cells"),
        (rows_of(10, 60), 20 * 100, "more than 10,000 table cells"),
        ({"rows": [{"a": "x" * 200_000}]}, 20 * 100, "more than 1,000,000 characters"),
        ({"rows": [{"a": [["x" * 100_000]]}]}, 20 * 100, "more than 1,000,000 characters"),
        ({"rows": [1, {"a": 1}], "columns": [{}]}, 1, None),
        ({"rows": [{"a": 1}], "columns": 5}, 1, None),
    ],
)
async def test_results_are_counted_before_their_tables_are_built(result, times, said):
    ctx = RecordingContext()
    ctx.recorder.parents = [parent(FIRST, result)]
    sections = [{"results": [{}] * min(20, times)} for _ in range(-(-times // 20))]
    payload = ReportPayload.model_validate({"title": "t", "sections": sections})
    tracemalloc.start()
    try:
        if said is None:
            assert (await with_results(ctx, payload)).sections[0].tables[0].columns == ["a"]
        else:
            with pytest.raises(InputRefused, match=said):
                await with_results(ctx, payload)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
