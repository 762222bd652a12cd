"""Text from a model endpoint that is real, well-behaved or not, and from the local chain."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pgqueue_tasks._models import chat
from pgqueue_tasks._models.endpoint import Endpoint, _retry_after
from pgqueue_tasks._models.settings import ModelSettings
from pgqueue_tasks.errors import EngineFailed, InputRefused
from pgqueue_tasks.text_gen import TextPayload, text_gen

from pgqueue import PgQueue, Retry
from pgqueue.handlers import ending
from pgqueue.handlers.failure import describe
from pgqueue.handlers.task_type import TaskType
from tests.tasks import endpoint as model
from tests.tasks.endpoint import KEY, MODEL, ModelServer, chunk, events, raw, serving, status
from tests.tasks.recording import RecordingContext


@pytest.fixture
def server(monkeypatch):
    with serving() as server:
        monkeypatch.setenv("PGQUEUE_OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("PGQUEUE_OPENAI_TEXT_MODEL", MODEL)
        yield server


def _kind() -> TaskType:
    app = PgQueue()
    app.task("text_gen")(text_gen)
    return app.types["text_gen"]


KIND = _kind()


async def write(ctx=None, **payload):
    given = {"prompt": "Tell me a story"} | payload
    return await text_gen(ctx or RecordingContext(), TextPayload.model_validate(given))


async def test_a_text_is_asked_for_streamed_and_given_with_its_usage(server: ModelServer):
    ctx = RecordingContext()
    result = await write(
        ctx, system="Be brief", temperature=0.5, stop=["END"], seed=7, max_tokens=100
    )
    assert result.model_dump() == {
        "text": "Once upon a time",
        "provider": "openai",
        "model": MODEL,
        "finish_reason": "stop",
        "usage": {**model.USAGE, "estimated": False},
    }
    assert ctx.recorder.text_pieces == ["Once ", "upon ", "a time"]
    assert [percent for percent, _ in ctx.progress_calls] == [1, 2, 3, 100]
    ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Tell me a story"},
        ],
        "max_tokens": 100,
        "temperature": 0.5,
        "stop": ["END"],
        "seed": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_the_payload_may_name_the_model(server: ModelServer):
    await write(model="other/model:1b")
    assert server.asked[0][2]["model"] == "other/model:1b"


async def test_without_usage_pieces_are_counted_and_said_to_be_an_estimate(server: ModelServer):
    server.answer = events(*model.TEXT, "[DONE]")
    usage = (await write(prompt="one two")).usage
    assert usage.model_dump() == {
        "prompt_tokens": 2,
        "completion_tokens": 3,
        "total_tokens": 5,
        "estimated": True,
    }


async def test_a_key_without_an_endpoint_is_not_used(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert (await write(max_tokens=5)).provider == "local"
    with pytest.raises(InputRefused, match="no model endpoint"):
        await write(provider="openai", model="m")


async def test_without_any_model_the_attempt_says_what_to_give(server: ModelServer, monkeypatch):
    monkeypatch.delenv("PGQUEUE_OPENAI_TEXT_MODEL")
    with pytest.raises(InputRefused, match="PGQUEUE_OPENAI_TEXT_MODEL"):
        await write()


# what an endpoint may answer


@pytest.mark.parametrize(
    ("code", "headers", "after"),
    [
        (429, {"Retry_After": "7"}, 7),
        (429, {}, 10),
        (503, {"Retry_After": "0.5"}, 0.5),
        (500, {"Retry_After": "2"}, 2),
        (429, {"Retry_After": "99999999"}, 3600),
        (429, {"Retry_After": "soon"}, 10),
        (429, {"Retry_After": "nan"}, 10),
        (429, {"Retry_After": "-5"}, 0),
    ],
)
async def test_an_endpoint_that_is_busy_gives_a_retry(server: ModelServer, code, headers, after):
    server.answer = status(code, "slow down", **headers)
    outcome = await write()
    assert isinstance(outcome, Retry)
    assert (outcome.after, outcome.slow) == (after, "queue")
    assert f"the endpoint answered {code}" in outcome.reason
    assert len(server.asked) == 1  # the client did not try again by itself
    assert ending.raised(outcome, KIND).outcome == "failed"


def test_a_date_says_how_long_to_wait_by_the_clock_of_the_answer():
    said = datetime(2001, 1, 1, tzinfo=UTC)
    at, due = (format_datetime(said + timedelta(seconds=s), usegmt=True) for s in (0, 90))
    assert _retry_after({"retry-after": due, "date": at}) == 90
    assert _retry_after({"retry-after": due}) is None, "ours may be wrong"


@pytest.mark.parametrize("code", [400, 404, 422])
async def test_what_the_endpoint_refuses_is_not_tried_again(server: ModelServer, code):
    server.answer = status(code, "the prompt is too long")
    with pytest.raises(InputRefused, match=f"{code}.*the prompt is too long"):
        await write()


@pytest.mark.parametrize("code", [401, 403, 500, 502, 302])
async def test_what_may_pass_is_tried_again(server: ModelServer, code):
    server.answer = status(code, Location="http://127.0.0.1:1/")
    with pytest.raises(EngineFailed, match=f"answered {code}"):
        await write()


GARBAGE = {
    "no JSON": raw(b"data: {nonsense\n\n"),
    "no events": raw(b"hello\n" * 10),
    "binary": raw(bytes(range(256)) * 40),
    "broken UTF-8": raw(b'data: {"choices": "\xff\xfe"}\n\n'),
    "nothing": raw(),
    "an array": events([1, 2]),
    "a number": events("5"),
    "null": events("null"),
    "choices of a wrong type": events({**chunk(), "choices": 5}),
    "choices of text": events({**chunk(), "choices": ["a"]}),
    "a delta of null": events({**chunk(), "choices": [{"index": 0, "delta": None}]}),
    "content of a wrong type": events(chunk([1]), chunk(reason="stop")),
    "usage of a wrong type": events(chunk("a"), chunk(reason="stop", usage={"prompt_tokens": "x"})),
    "an error": events({"error": {"message": "the model fell over"}}),
    "broken off": events(chunk("Once ")),
    "deep": raw(b"data: " + b"[" * 100_000 + b"\n\n"),
    "an endless line": model.endless(b"x" * 65536),
    "endless tokens": model.endless(f"data: {json.dumps(chunk('word ' * 2000))}\n\n".encode()),
    "endless comments": model.endless(b": nothing\n\n" * 4096),
    "compressed": raw(b"\x1f\x8b\x08", Content_Encoding="gzip"),
    "cut short": raw(b"data: {", Content_Length="100"),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_is_a_failed_attempt_that_says_so(
    server: ModelServer, name, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(chat, "_MAX_BYTES", 1 << 20)  # 32 MiB take five seconds to read
    server.answer = GARBAGE[name]
    with pytest.raises(EngineFailed) as caught:
        await write()
    described = describe(caught.value)
    assert "endpoint" in described["message"] or "characters" in described["message"]
    assert len(described["traceback"]) < 8_000


async def test_characters_that_cannot_be_stored_are_replaced(server: ModelServer):
    server.answer = events(chunk("a\0b\ud800c"), chunk(reason="stop"), "[DONE]")
    assert (await write()).text == "a\ufffdb?c"


async def test_an_endpoint_that_stalls_is_left_after_the_time_of_the_setting(
    server: ModelServer, monkeypatch
):
    monkeypatch.setenv("PGQUEUE_OPENAI_STALL_S", "0.3")
    server.answer = model.held(chunk("Once "))
    ctx = RecordingContext()
    with pytest.raises(EngineFailed, match=r"silent for 0\.3 s"):
        await write(ctx)
    assert ctx.recorder.text_pieces == ["Once "]
    assert await asyncio.to_thread(server.left.wait, 10)


async def test_an_endpoint_that_is_not_there_is_a_failed_attempt(server: ModelServer, monkeypatch):
    monkeypatch.setenv("PGQUEUE_OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(EngineFailed, match="no answer"):
        await write()


async def test_a_cancelled_task_closes_the_connection(server: ModelServer):
    server.answer = model.held(chunk("Once "))
    writing = asyncio.create_task(write())
    assert await asyncio.to_thread(server.began.wait, 20)
    assert not server.left.is_set()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await asyncio.to_thread(server.left.wait, 10)


# keys


@pytest.mark.parametrize(
    "answer",
    [
        status(401, f"Incorrect API key provided: {KEY}"),
        status(400, f"bad header Authorization: Bearer {KEY}"),
        status(429, f"quota of {KEY}"),
        status(500, f"{KEY[:12]}****"),
        events({"error": {"message": f"key {KEY} expired"}}),
        raw(f"data: {KEY}\n\n".encode()),
    ],
)
async def test_the_key_is_in_no_error_no_reason_and_no_log(
    server: ModelServer, answer, caplog, capfd
):
    server.answer = answer
    caplog.set_level(logging.DEBUG)
    kept: object
    try:
        kept = ending.returned(await write(), KIND)
    except (EngineFailed, InputRefused) as error:
        kept = describe(error)
    seen = repr(kept) + caplog.text + "".join(capfd.readouterr())
    assert KEY not in seen
    assert KEY[:12] not in seen
    assert server.asked[0][1]["authorization"] == f"Bearer {KEY}"


def test_the_key_is_in_no_description_of_the_settings(monkeypatch):
    monkeypatch.setenv("PGQUEUE_OPENAI_API_KEY", KEY)
    settings = ModelSettings()
    assert KEY not in f"{settings!r} {settings} {settings.model_dump_json()} {vars(Endpoint())}"
    assert settings.openai_api_key.get_secret_value() == KEY


async def test_a_key_inside_the_url_is_refused_and_not_repeated(server, monkeypatch):
    monkeypatch.setenv("PGQUEUE_OPENAI_BASE_URL", f"https://user:{KEY}@example.com/v1")
    with pytest.raises(EngineFailed) as caught:
        await write()
    assert KEY not in describe(caught.value)["traceback"]


# local


async def test_the_local_chain_says_what_it_is_and_streams_what_it_gives():
    ctx = RecordingContext()
    result = await write(ctx, max_tokens=40)
    assert (result.provider, result.finish_reason) == ("local", "length")
    assert len(result.text.split()) == 40 == result.usage.completion_tokens
    assert result.usage.estimated
    assert "".join(ctx.recorder.text_pieces) == result.text
    assert ctx.progress_calls[-1][0] == 100


async def test_the_same_seed_or_prompt_gives_the_same_text():
    one, two = await write(seed=3, max_tokens=30), await write(seed=3, max_tokens=30)
    other = await write(seed=4, max_tokens=30)
    assert one.text == two.text != other.text
    assert (await write(prompt="The sea", max_tokens=20)).text.startswith("The ")
    assert (await write(prompt="b")).text == (await write(prompt="b")).text


async def test_a_corpus_of_ones_own_is_all_that_is_learned_from():
    corpus = "Red fish swim north. Blue fish swim south. Old fish sleep."
    result = await write(corpus=corpus, max_tokens=30)
    assert set(result.text.split()) <= set(corpus.split())


async def test_local_stops_at_the_first_stop():
    corpus = "one two STOP three."
    ctx = RecordingContext()
    result = await write(ctx, corpus=corpus, stop=["STOP", "three"], max_tokens=10)
    assert (result.text, result.finish_reason) == ("one two ", "stop")
    assert "".join(ctx.recorder.text_pieces) == "one two "


@pytest.mark.parametrize(
    "corpus", [" ", "\n\n", ".", "!!!", "\0", "'", "(" * 200_000, "a" * 200_000, "a." * 100_000]
)
async def test_a_hostile_corpus_is_refused_or_written_like(corpus):
    try:
        said = (await write(corpus=corpus, max_tokens=50)).text
    except InputRefused as refused:
        said = str(refused)
        assert "corpus" in said
    assert len(said) <= 60_000
