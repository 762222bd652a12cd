"""Answers from pages of a real origin, from texts, with a model and without one."""

import gzip
import json
import re

import pytest
from pgqueue_tasks._research.analysis import rank
from pgqueue_tasks._research.picking import pick, sentences_of
from pgqueue_tasks.errors import EngineFailed, InputRefused
from pgqueue_tasks.research_agent import ResearchPayload, research_agent

from pgqueue import Retry
from tests.tasks.endpoint import KEY, MODEL, chunk, events, serving, status
from tests.tasks.recording import RecordingContext
from tests.worker.outbound.origin import Origin, Reply

QUESTION = "What makes the tide rise?"
TIDES = "The moon pulls the water of the sea. So the tide rises twice a day in most places."
BREAD = "Bread is made of flour and water. The baker lets the dough rest for a night."


def page(title, *paragraphs):
    text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return (
        f"<html><head><title>{title}</title></head><body><nav>Home | About | Log in</nav>"
        f"<article><h1>{title}</h1>{text}</article><footer>All rights reserved</footer></body>"
    ).encode()


PAGES = {
    "/tides": Reply(headers={"Content-Type": "text/html"}, body=page("Tides", TIDES, TIDES[:37])),
    "/bread": Reply(headers={"Content-Type": "text/plain"}, body=BREAD.encode()),
    "/moved": Reply(301, {"Location": "/tides"}),
    "/loop": Reply(302, {"Location": "/loop"}),
    "/inside": Reply(302, {"Location": "http://169.254.169.254/latest/meta-data/"}),
    "/gone": Reply(404),
    "/broken": Reply(503),
    "/picture": Reply(headers={"Content-Type": "image/png"}, body=b"\x89PNG"),
    "/empty": Reply(headers={"Content-Type": "text/html"}, body=b"<html></html>"),
    "/bomb": Reply(
        headers={"Content-Type": "text/html", "Content-Encoding": "gzip"},
        body=gzip.compress(bytes(10_000_000)),
    ),
    "/deep": Reply(headers={"Content-Type": "text/html"}, body=b"<div>" * 100_000 + b"x"),
    "/garbage": Reply(headers={"Content-Type": "text/html"}, body=bytes(range(256)) * 2000),
}


@pytest.fixture
def origin(monkeypatch):
    origin = Origin(lambda came: PAGES[came.path])
    monkeypatch.setenv("PGQUEUE_OUTBOUND_ALLOW_HOSTS", "127.0.0.1")
    yield origin
    origin.close()


@pytest.fixture
def server(monkeypatch):
    with serving() as server:
        monkeypatch.setenv("PGQUEUE_OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("PGQUEUE_OPENAI_TEXT_MODEL", MODEL)
        yield server


async def research(ctx=None, **payload):
    given = {"question": QUESTION} | payload
    return await research_agent(ctx or RecordingContext(), ResearchPayload.model_validate(given))


async def test_pages_and_texts_are_read_and_what_answers_is_cited(origin: Origin):
    ctx = RecordingContext()
    result = await research(
        ctx,
        urls=[origin.url(path="/moved"), origin.url(path="/bread")],
        texts=[{"title": "More", "text": "A tide that rises highest is called a spring tide."}],
        sentences=3,
    )
    assert (result.provider, result.model, result.usage, result.unread) == (
        "local",
        "lexrank",
        None,
        [],
    )
    assert re.search(r"tide rises twice a day in most places\. \[1\]", result.answer)
    assert "Log in" not in result.answer
    assert [(s.number, s.url, s.cited) for s in result.sources] == [
        (1, origin.url(path="/tides"), True),
        (2, origin.url(path="/bread"), False),
        (3, None, True),
    ]
    assert (result.sources[0].title, result.sources[2].title) == ("Tides", "More")
    assert "".join(ctx.recorder.text_pieces) == result.answer
    assert ctx.progress_calls[-1][0] == 100


async def test_a_later_attempt_fetches_nothing_twice_and_asks_the_model_only(origin, server):
    server.answer = status(429, "later", Retry_After="2")
    ctx = RecordingContext()
    urls = [origin.url(path="/tides"), origin.url(path="/bread")]
    outcome = await research(ctx, urls=urls)
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.slow) == (2, "queue")
    server.answer = events(chunk("The moon [1][7]."), chunk(reason="stop"), "[DONE]")
    result = await research(ctx.again(), urls=urls)
    assert len(origin.received) == 2
    assert (result.provider, result.model) == ("openai", MODEL)
    assert result.answer == "The moon [1]."  # there is no seventh source
    asked = server.asked[-1][2]["messages"][1]["content"]
    assert QUESTION in asked
    assert "[1] " in asked


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/loop", "redirects more than 3 times"),
        ("/inside", "not public"),
        ("/gone", "answered 404"),
        ("/picture", "image/png"),
        ("/empty", "no text"),
        ("/bomb", "compressed"),
    ],
)
async def test_a_page_that_cannot_be_read_is_refused_and_says_why(origin, path, message):
    with pytest.raises(InputRefused, match=message):
        await research(urls=[origin.url(path=path)])
    result = await research(urls=[origin.url(path=path)], texts=[{"text": TIDES}])
    (unread,) = result.unread
    assert message in unread.error
    assert result.sources[0].number == 1


async def test_a_page_that_may_come_back_is_tried_again(origin: Origin):
    with pytest.raises(EngineFailed, match="answered 503"):
        await research(urls=[origin.url(path="/broken")])


@pytest.mark.parametrize("path", ["/deep", "/garbage"])
async def test_hostile_markup_ends_in_a_clear_failure_or_an_answer(origin, path):
    result = await research(urls=[origin.url(path=path)], texts=[{"text": TIDES}])
    assert "tide" in result.answer


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://169.254.169.254/", "http://[::1]/", "http://10.0.0.1/"]
)
async def test_hosts_that_are_not_public_are_refused(url):
    with pytest.raises(InputRefused, match="not public"):
        await research(urls=[url])


@pytest.mark.parametrize(
    "text", ["?", "a" * 50_000, "one. " * 10_000, "\x01\ud7ff", "中文。" * 900]
)
async def test_any_text_gives_an_answer(text):
    result = await research(texts=[{"text": text}], question="???")
    assert result.sources[0].title == "text 1"


def test_sentences_that_say_the_same_are_picked_once():
    passages = [{"source": 1, "text": TIDES}, {"source": 2, "text": TIDES + " " + BREAD}]
    picked = pick(QUESTION, passages, 3)
    assert len({sentence["text"] for sentence in picked}) == len(picked) == 3
    assert sentences_of("One two. Three e.g. four!\nFive") == [
        "One two.",
        "Three e.g. four!",
        "Five",
    ]


@pytest.mark.parametrize("text", ["中文字符" * 10_000, "tide" * 10_000, ("tide" * 150 + " ") * 60])
def test_the_passages_of_any_script_fit_a_step(text):
    sources = [{"number": n, "text": text[:40_000]} for n in range(1, 11)]
    for question in ("tide", "中文字符"):
        ranked = rank(None, question, sources, 12)
        assert ranked["passages"]
        assert len(json.dumps(ranked, ensure_ascii=False).encode()) < 128 * 1024
