"""The text that handlers write while they run."""

import pytest

from tests.worker.conftest import Bench, eventually

APP = ("--app", "tests.worker.streaming:app")
EVENTS = "select * from pgqueue.events where task_id = %s order by lease_id, seq"


def words(n: int) -> str:
    return "".join(f"word{i} " for i in range(n))


@pytest.mark.parametrize("type", ["tokens_in_thread", "tokens_in_process"])
def test_text_is_whole_and_in_order_from_a_thread_and_a_process(bench: Bench, type: str) -> None:
    bench.start(*APP)
    task = bench.enqueue(type, {"n": 3_000})
    assert bench.ended(task)["status"] == "completed"
    events = bench.rows(EVENTS, task)
    assert {event["type"] for event in events} == {"text"}
    assert "".join(event["message"] for event in events) == words(3_000)


def test_words_go_together_and_keep_their_place_among_the_log_lines(bench: Bench) -> None:
    bench.start(*APP)
    task = bench.enqueue("tokens", {"n": 3_000})
    assert bench.ended(task)["result"] == 3_000
    events = bench.rows(EVENTS, task)
    assert len(events) < 20  # 3,000 words
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    first, *texts, last, end = events
    assert (first["message"], last["message"]) == ("before", "after")
    assert "".join(event["message"] for event in texts) == words(3_000)
    assert max(len(event["message"]) for event in texts) <= 8_192
    assert end["message"] == "the end\ufffd?"


def test_each_attempt_streams_anew(bench: Bench) -> None:
    bench.start(*APP)
    task = bench.enqueue("tokens", {"n": 5, "until": 2})
    assert bench.ended(task)["attempt"] == 2
    texts: dict[int, str] = {}
    for event in bench.rows(EVENTS, task):
        if event["type"] == "text":
            texts[event["lease_id"]] = texts.get(event["lease_id"], "") + event["message"]
    assert list(texts.values()) == [words(5) + "the end\ufffd?"] * 2


def test_text_is_stored_while_the_handler_runs(bench: Bench) -> None:
    bench.start(*APP)
    task = bench.enqueue("slow_tokens")
    bench.passed("streamed")
    eventually(
        lambda: [event["message"] for event in bench.rows(EVENTS, task)] == ["first", "second"],
        "both pieces are stored",
    )
    assert bench.task(task)["status"] == "active"
    bench.open("streaming-out")
    bench.ended(task)
