"""Poison payloads and results: one task fails, the queue drains."""

import httpx
import psutil
import psycopg
import pytest
from pgqueue_api.app import create_app

from pgqueue.settings import Settings
from tests.chaos import poisoned
from tests.figures import Figure
from tests.soundness import assert_sound
from tests.worker.conftest import Bench, bench, eventually

__all__ = ["bench"]

ROW = "poison payloads and results"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("where", ["loop", "thread", "process", "process_loop"])
def test_whatever_a_handler_returns_or_raises_its_task_ends_and_its_neighbours_complete(
    bench: Bench, figure: Figure, where: str
) -> None:
    worker = bench.start("--app", "tests.chaos.poisoned:app", "--concurrency", "5")
    bench.ended(bench.enqueue(f"hostile_{where}", {"returns": "a set"}))
    (process,) = map(psutil.Process, bench.processes())
    descriptors, threads = process.num_fds(), process.num_threads()
    tasks, neighbours = {}, []
    for word, kinds in (
        ("returns", [*poisoned.STORED, *poisoned.RETURNED]),
        ("raises", poisoned.RAISED),
    ):
        for kind in kinds:
            neighbours.append(bench.enqueue("echo"))
            tasks[word, kind] = bench.enqueue(f"hostile_{where}", {word: kind})
    tasks["raises", "GeneratorExit, in a future"] = bench.enqueue("hostile_future")
    neighbours.append(bench.enqueue("echo"))
    ended = {key: bench.ended(id) for key, id in tasks.items()}
    attempts = {key: bench.attempts(id) for key, id in tasks.items()}
    statuses = {key: task["status"] for key, task in ended.items()}
    stored = {("returns", kind) for kind in poisoned.STORED}
    assert statuses == {key: "completed" if key in stored else "failed" for key in tasks}
    for key, task in ended.items():
        assert [attempt["outcome"] for attempt in attempts[key]] == [task["status"]], key
        if key not in stored:
            error = task["error"]
            assert error["type"], key
            assert len(error["message"].encode()) <= 32_768, key
            assert len(error.get("traceback", "").encode()) <= 65_536, key
    assert {bench.ended(id)["status"] for id in neighbours} == {"completed"}
    assert worker.poll() is None
    assert bench.processes() == [process.pid], "no process died of it"
    eventually(lambda: process.num_fds() <= descriptors + 20, "nothing stays open")
    eventually(lambda: process.num_threads() <= threads + 5, "no thread stays behind")
    with psycopg.connect(bench.dsn) as connection:
        assert_sound(connection)
    figure(ROW, f"{len(tasks)}/{len(tasks)} terminal, handler in {where}", "all terminal")


UNDECODABLE = {
    "a number beyond every float": '{"number": 1e4300}',
    "a number of 131,072 digits": '{"number": 1e131071}',
    "numbers that are small stored and 3.9 MiB as text": f"[{','.join(['1e131071'] * 30)}]",
    "an int of 5,000 digits": '{"number": %s}' % ("9" * 5_000),
}
"""What jsonb holds and parsers of JSON do not take."""

UNFIT = {
    "64 levels": "[" * 64 + "]" * 64,
    "a null": "null",
    "a string": '"number"',
    "nothing": "{}",
    "an int beyond 64 bits": '{"number": 18446744073709551616.5}',
    "a word for a number": '{"number": "\\ud83d\\ude00"}',
    "another's error in the validator": '{"number": 13}',
    "a validator that ends the process": '{"number": 14}',
}
"""What can be decoded, and is not what the handler takes."""

FIT = {
    "minus nothing": ('{"number": -0}', "0"),
    "a key twice: the last one counts": ('{"number": 13, "number": 7}', "7"),
    "an int beyond 64 bits": ('{"number": 18446744073709551616}', "18446744073709551616"),
}


@pytest.mark.parametrize("where", ["loop", "thread", "process"])
def test_one_payload_among_a_hundred_that_cannot_be_read_fails_alone(
    bench: Bench, figure: Figure, where: str
) -> None:
    enqueue = "select pgqueue.enqueue(%s::text, %s::text::jsonb, max_attempts => 1)::text"
    good, bad, unfit = [], {}, {}
    for name, text in UNDECODABLE.items():  # 99 and the one that fails: what a claim takes at once
        for half in (range(50), range(50, 99)):
            more = [{"type": f"order_{where}", "payload": {"number": 100 + n}} for n in half]
            good += bench.enqueue_many(more)
            if name not in bad:
                bad[name] = bench.value(enqueue, f"order_{where}", text)
    for name, text in UNFIT.items():
        unfit[name] = bench.value(enqueue, f"order_{where}", text)
    odd = {
        name: (bench.value(enqueue, f"order_{where}", text), number)
        for name, (text, number) in FIT.items()
    }
    app = ("--app", "tests.chaos.poisoned:app", "--concurrency", "100")
    assert bench.start("--burst", *app, wait=False).wait(60) == 0
    # no parser of the test's own reads these payloads, either
    failed = bench.rows(
        "select id::text, error ->> 'type' as type from pgqueue.tasks where status = 'failed'"
    )
    errors = {row["id"]: row["type"] for row in failed}
    expected = dict.fromkeys(bad.values(), "payload_undecodable")
    expected |= dict.fromkeys(unfit.values(), "payload_invalid")
    expected[unfit["another's error in the validator"]] = "LookupError"
    expected[unfit["a validator that ends the process"]] = "SystemExit"
    assert errors == expected
    results = {
        row["id"]: row["result"]
        for row in bench.rows("select id::text, result from pgqueue.tasks where result is not null")
    }
    assert {name: results[id] for name, (id, _) in odd.items()} == {
        name: number for name, (_, number) in odd.items()
    }
    counts = bench.rows(
        "select status, attempt, crash_count, count(*) as n from pgqueue.tasks group by 1, 2, 3"
    )
    assert sorted(counts, key=lambda row: row["n"]) == [
        {"status": "failed", "attempt": 1, "crash_count": 0, "n": len(bad) + len(unfit)},
        {"status": "completed", "attempt": 1, "crash_count": 0, "n": len(good) + len(odd)},
    ]
    with psycopg.connect(bench.dsn) as connection:
        assert_sound(connection)
    figure(
        ROW,
        f"{len(bad)} × 1 of 100 undecodable: {len(good)} of {len(good)} completed, in {where}",
        "99 complete, 1 fails with payload_undecodable",
    )


def described(name: str) -> bytes:
    return b'{"type": "echo", "payload": {"x": ' + HOSTILE_JSON[name] + b"}}"


HOSTILE_JSON = {
    "a NUL": b'"\\u0000"',
    "a lone surrogate": b'"\\ud800"',
    "NaN": b"NaN",
    "1e4300": b"1e4300",
    "1,000 levels": b"[" * 1000 + b"]" * 1000,
    "an int of 10,000 digits": b"9" * 10_000,
    "256 KiB + 1": b'"' + b"x" * 262_144 + b'"',
}


async def test_hostile_json_is_refused_at_the_api_and_the_queue_drains(
    bench: Bench, figure: Figure
) -> None:
    worker = bench.start("--app", "tests.chaos.poisoned:app")
    eventually(
        lambda: bench.value("select count(*) from pgqueue_private.task_type where name = 'echo'"),
        "the worker publishes its types",
    )
    api = create_app(Settings(database_url=bench.dsn))
    transport = httpx.ASGITransport(api, raise_app_exceptions=False)
    json = {"content-type": "application/json"}
    ids = []
    async with api.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://a") as http:
        for name in HOSTILE_JSON:
            answer = await http.post("/v1/tasks", content=described(name), headers=json)
            assert answer.status_code == (413 if name == "256 KiB + 1" else 422), name
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] in ("json_invalid", "body_too_large", "invalid"), name
            good = b'{"type": "echo"}'
            many = b'{"tasks": [%s, %s, %s]}' % (good, described(name), good)
            answer = await http.post("/v1/tasks/bulk", content=many, headers=json)
            if answer.status_code == 422:  # the text as a whole is no JSON, or none to be stored
                assert answer.json()["code"] == "json_invalid", name
                continue
            items = answer.json()["items"]
            assert [item["ok"] for item in items] == [True, False, True], name
            assert items[1]["problem"]["status"] in (413, 422), name
            ids += [items[0]["id"], items[2]["id"]]
        answer = await http.post("/v1/tasks", content=good, headers=json)
        ids.append(answer.json()["id"])
    assert len(ids) >= 3, "one that is only too large is refused alone"
    assert {bench.ended(id)["status"] for id in ids} == {"completed"}
    assert bench.value("select count(*) from pgqueue.tasks") == len(ids)
    assert worker.poll() is None
    with psycopg.connect(bench.dsn) as connection:
        assert_sound(connection)
    figure(ROW, f"{len(HOSTILE_JSON)}/{len(HOSTILE_JSON)} kinds of JSON refused", "422, or 413")
