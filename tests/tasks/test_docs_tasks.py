"""Every example of docs/tasks.md is valid, runs, and gives what is printed below it."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest
from pgqueue_tasks.data_aggregation import AggregationPayload, data_aggregation
from pgqueue_tasks.demo import NoopPayload, SleepPayload, noop, sleep
from pgqueue_tasks.email_campaign import CampaignPayload, email_campaign
from pgqueue_tasks.image_gen import ImagePayload, image_gen
from pgqueue_tasks.pdf_report import ReportPayload, pdf_report
from pgqueue_tasks.research_agent import ResearchPayload, research_agent
from pgqueue_tasks.text_gen import TextPayload, text_gen
from pgqueue_tasks.webhook_processing import HookPayload, webhook_processing

from tests.tasks.recording import RecordingContext

TYPES = {
    "data_aggregation": (data_aggregation, AggregationPayload),
    "email_campaign": (email_campaign, CampaignPayload),
    "pdf_report": (pdf_report, ReportPayload),
    "text_gen": (text_gen, TextPayload),
    "image_gen": (image_gen, ImagePayload),
    "webhook_processing": (webhook_processing, HookPayload),
    "research_agent": (research_agent, ResearchPayload),
    "noop": (noop, NoopPayload),
    "sleep": (sleep, SleepPayload),
}
TEXT = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()
BLOCKS = [
    json.loads(block)
    for block in re.findall(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
]
EXAMPLES = [
    (block, following if "type" not in following else None)
    for block, following in zip(BLOCKS, [*BLOCKS[1:], {"type": ""}], strict=True)
    if "type" in block
]


def test_the_page_shows_every_type():
    assert {example["type"] for example, _ in EXAMPLES} == set(TYPES)


@pytest.mark.parametrize(("example", "printed"), EXAMPLES)
async def test_an_example_runs_and_gives_the_result_printed_below_it(example, printed, monkeypatch):
    monkeypatch.setenv("PGQUEUE_HOOK_GITHUB_SECRET", "It's a Secret to Everybody")
    handler, model = TYPES[example["type"]]
    assert jsonschema_rs.is_valid(model.model_json_schema(), example["payload"])
    result = await handler(RecordingContext(), model.model_validate(example["payload"]))
    if printed is not None:
        assert json.loads(result.model_dump_json()) == printed


ROWS = {"rows": [{"a": 1}]}
ID = "0198c0de-0000-7000-8000-00000000000a"
HOOK = {"source": "a", "body": "b"}
MAIL = {"subject": "s", "text": "t", "recipients": [{"email": "a@b.c"}]}
COUNT = {"aggregates": [{"function": "count"}]}


TEXTS = [
    ({}, []),
    ({"prompt": ""}, ["prompt"]),
    ({"prompt": 5}, ["prompt"]),
    ({"prompt": "x" * 100_001}, ["prompt"]),
    ({"prompt": "x", "surprise": 1}, []),
    ({"prompt": "x", "api_key": "sk-1"}, []),
    ({"prompt": "x", "base_url": "http://169.254.169.254"}, []),
    ({"prompt": "x", "provider": "azure"}, ["provider"]),
    ({"prompt": "x", "model": "../m"}, ["model"]),
    ({"prompt": "x", "max_tokens": 0}, ["max_tokens"]),
    ({"prompt": "x", "max_tokens": 1.5}, ["max_tokens"]),
    ({"prompt": "x", "temperature": 2.1}, ["temperature"]),
    ({"prompt": "x", "stop": ["a"] * 5}, ["stop"]),
    ({"prompt": "x", "stop": [""]}, ["stop", 0]),
    ({"prompt": "x", "seed": -1}, ["seed"]),
    ({"prompt": "x", "system": None}, ["system"]),
    ({"prompt": "x", "corpus": "x" * 200_001}, ["corpus"]),
]


ASKED = {"question": "Why?", "texts": [{"text": "Because."}]}
RESEARCHES = [
    ({"question": "Why?"}, []),
    ({"texts": [{"text": "x"}]}, []),
    ({**ASKED, "question": ""}, ["question"]),
    ({**ASKED, "urls": ["file:///etc/passwd"]}, ["urls", 0]),
    ({**ASKED, "urls": ["http://a b"]}, ["urls", 0]),
    ({**ASKED, "urls": ["https://example.com/"] * 11}, ["urls"]),
    ({**ASKED, "texts": [{"text": ""}]}, ["texts", 0, "text"]),
    ({**ASKED, "texts": [{"body": "x"}]}, ["texts", 0]),
    ({**ASKED, "texts": [{"text": "x"}] * 21}, ["texts"]),
    ({**ASKED, "sentences": 0}, ["sentences"]),
    ({**ASKED, "max_tokens": "many"}, ["max_tokens"]),
]
IMAGES = [
    ({}, []),
    ({"prompt": "x", "source": "0198c0de-0000-7000-8000-000000000001"}, []),
    ({"prompt": ""}, ["prompt"]),
    ({"prompt": "x" * 4_001}, ["prompt"]),
    ({"prompt": "x", "width": 63}, ["width"]),
    ({"prompt": "x", "height": 2049}, ["height"]),
    ({"prompt": "x", "width": "wide"}, ["width"]),
    ({"prompt": "x", "url": "file:///etc/passwd"}, []),
    ({"source": "/etc/passwd"}, ["source"]),
    ({"source": {"task_id": "x", "name": "a"}}, ["source"]),
    ({"prompt": "x", "operations": [{"op": "blur"}]}, ["operations", 0]),
    ({"prompt": "x", "operations": [{"op": "thumbnail", "size": 5000}]}, ["operations", 0]),
    ({"prompt": "x", "operations": [{"op": "convert", "format": "tiff"}]}, ["operations", 0]),
    ({"prompt": "x", "operations": [{"op": "thumbnail"}] * 11}, ["operations"]),
]


@pytest.mark.parametrize(
    ("model", "payload", "pointer"),
    [
        (AggregationPayload, ROWS, []),
        (AggregationPayload, COUNT, []),
        (AggregationPayload, ROWS | COUNT | {"csv": "a\n1"}, []),
        (AggregationPayload, ROWS | COUNT | {"sql": "select 1"}, []),
        (AggregationPayload, ROWS | {"sql": "select 1", "group_by": ["a"]}, ["group_by"]),
        (AggregationPayload, ROWS | COUNT | {"limit": 0}, ["limit"]),
        (AggregationPayload, ROWS | COUNT | {"surprise": 1}, []),
        (AggregationPayload, {"rows": [{"a": [1]}]} | COUNT, ["rows", 0, "a"]),
        (
            AggregationPayload,
            ROWS | {"aggregates": [{"function": "avrg"}]},
            ["aggregates", 0, "function"],
        ),
        (ReportPayload, {}, []),
        (ReportPayload, {"title": "t", "date": "July"}, ["date"]),
        (ReportPayload, {"title": "t", "sections": [{"heading": 5}]}, ["sections", 0, "heading"]),
        (SleepPayload, {"delay_ms": -1}, ["delay_ms"]),
        (HookPayload, HOOK, None),
        (HookPayload, {"source": "a"}, []),
        (HookPayload, HOOK | {"body_base64": "YQ=="}, []),
        (HookPayload, HOOK | {"source": "A b"}, ["source"]),
        (HookPayload, HOOK | {"headers": {"a": "b\r\nc: d"}}, ["headers", "a"]),
        (HookPayload, HOOK | {"forward_url": "file:///etc/passwd"}, ["forward_url"]),
        (HookPayload, HOOK | {"map": {}}, ["map"]),
        (HookPayload, HOOK | {"map": {"x": ""}}, ["map", "x"]),
        (HookPayload, HOOK | {"received_at": "now"}, ["received_at"]),
        (HookPayload, HOOK | {"secret": "x"}, []),
        (AggregationPayload, COUNT | {"artifact": ID}, None),
        (AggregationPayload, COUNT | {"artifact": {"task_id": ID, "name": "a.csv"}}, None),
        (AggregationPayload, COUNT | {"artifact": "../x"}, ["artifact"]),
        (AggregationPayload, COUNT | {"artifact": {"task_id": ID}}, ["artifact"]),
        (AggregationPayload, COUNT | {"artifact": ID, "csv": "a\n1"}, []),
        (CampaignPayload, MAIL, None),
        (CampaignPayload, {**MAIL, "text": None}, ["text"]),
        (CampaignPayload, {key: MAIL[key] for key in ("subject", "recipients")}, []),
        (CampaignPayload, {**MAIL, "recipients": []}, ["recipients"]),
        (CampaignPayload, {**MAIL, "subject": "a\nBcc: b@c.d"}, ["subject"]),
        (CampaignPayload, {**MAIL, "from": "a@b.c\r\nBcc: d@e.f"}, ["from"]),
        (CampaignPayload, {**MAIL, "reply_to": "nobody"}, ["reply_to"]),
        (CampaignPayload, {**MAIL, "from_name": "a\nb"}, ["from_name"]),
        (
            CampaignPayload,
            MAIL | {"reply_to": "a b@c.d"},
            ["reply_to"],
        ),
        (
            CampaignPayload,
            MAIL | {"reply_to": "a@b>,<c@d"},
            ["reply_to"],
        ),
        (
            CampaignPayload,
            MAIL | {"reply_to": "a@b.c\n"},
            ["reply_to"],
        ),
        (CampaignPayload, MAIL | {"recipients": [{}]}, ["recipients", 0]),
        *((TextPayload, payload, pointer) for payload, pointer in TEXTS),
        *((ImagePayload, payload, pointer) for payload, pointer in IMAGES),
        *((ResearchPayload, payload, pointer) for payload, pointer in RESEARCHES),
    ],
)
def test_the_published_schema_refuses_what_is_wrong_and_points_at_it(model, payload, pointer):
    validator = jsonschema_rs.validator_for(model.model_json_schema())
    if pointer is None:
        assert validator.is_valid(payload)
        return
    assert pointer in [error.instance_path for error in validator.iter_errors(payload)]
