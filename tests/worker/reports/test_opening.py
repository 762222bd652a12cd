"""Files that handlers open: uploads, and what other tasks have made, in each way a handler runs."""

import hashlib

import pytest

from tests.worker.conftest import Bench

MIB = 1024 * 1024
DATA = b"0123456789abcdef" * (MIB // 8) + b"end"
WAYS = ["on_the_loop", "in_a_thread", "isolated_async", "isolated_plain"]


def upload(bench: Bench, data: bytes, sha256: bytes | None = None) -> str:
    id = str(bench.value("select pgqueue_private.begin_upload('big.bin', 'text/plain', 60)"))
    for n in range(-(-len(data) // MIB)):
        piece = data[n * MIB : (n + 1) * MIB]
        bench.rows("select pgqueue_private.append_upload(%s, %s, %s)", id, n, piece)
    sha256 = sha256 or hashlib.sha256(data).digest()
    bench.rows("select pgqueue_private.finish_upload(%s, %s, %s, 60)", id, len(data), sha256)
    return id


def test_a_handler_reads_a_file_however_it_runs(bench: Bench) -> None:
    bench.start("--app", "tests.worker.opening:app")
    id = upload(bench, DATA)
    made = bench.enqueue("makes")
    bench.ended(made)
    whole = {"name": "big.bin", "content_type": "text/plain", "pieces": [MIB, MIB, 3]}
    for way in WAYS:
        ended = bench.ended(bench.enqueue(way, {"file": id}))
        assert ended["status"] == "completed", ended["error"]
        assert whole.items() <= ended["result"].items()
        assert ended["result"]["sha256"] == hashlib.sha256(DATA).hexdigest()
        ended = bench.ended(bench.enqueue(way, {"file": {"task_id": made, "name": "made.txt"}}))
        assert ended["status"] == "completed", ended["error"]
        assert (ended["result"]["name"], ended["result"]["size"]) == ("made.txt", 9)


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_not_there_is_a_clear_error(bench: Bench, way: str) -> None:
    bench.start("--app", "tests.worker.opening:app")
    ended = bench.ended(bench.enqueue(way, {"file": "00000000-0000-7000-8000-000000000000"}))
    assert ended["status"] == "failed"
    assert ended["error"]["type"].endswith("NotFound"), ended["error"]
    assert "no artifact" in ended["error"]["message"]


def test_a_file_that_is_not_what_it_was_is_noticed(bench: Bench) -> None:
    bench.start("--app", "tests.worker.opening:app")
    ended = bench.ended(bench.enqueue("on_the_loop", {"file": upload(bench, DATA, b"x" * 32)}))
    assert "changed while it was read" in ended["error"]["message"]
    ended = bench.ended(bench.enqueue("too_much", {"file": upload(bench, b"four")}))
    assert "4 bytes" in ended["error"]["message"]
