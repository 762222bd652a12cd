"""One app in several event loops and in forked processes: each has connections of its own."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from pgqueue import PgQueue
from tests.database.queue import Queue

_OURS = """select count(*) from pg_stat_activity
           where application_name = 'pgqueue client' and datname = current_database()"""


def _script(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", text, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_one_app_serves_several_event_loops_at_once(database: str, queue: Queue) -> None:
    app, loops, rounds = PgQueue(database), 4, 10

    async def enqueue() -> None:
        for _ in range(rounds):
            ids = await asyncio.gather(*(app.enqueue("t") for _ in range(8)))
            await asyncio.gather(*(app.get(id) for id in ids))
        await app.close()

    with ThreadPoolExecutor(loops) as threads:
        loop = asyncio.get_running_loop()
        runs = [loop.run_in_executor(threads, asyncio.run, enqueue()) for _ in range(loops)]
        await asyncio.wait_for(asyncio.gather(*runs), 30)
    assert queue.count("task") == loops * rounds * 8
    queue.until(_OURS.replace("count(*)", "count(*) = 0"))


async def test_closing_an_app_in_one_loop_leaves_its_calls_in_others_alone(
    app: PgQueue, queue: Queue
) -> None:
    await app.enqueue("t")

    async def come_and_go() -> None:
        async with app:
            await app.enqueue("t")

    with ThreadPoolExecutor(1) as threads:
        await asyncio.get_running_loop().run_in_executor(threads, asyncio.run, come_and_go())
    queue.until(_OURS.replace("count(*)", "count(*) = 1"))
    await app.enqueue("t")
    assert queue.count("task") == 3


@pytest.mark.unpooled("it counts the sessions of a client: a pooler keeps them")
def test_the_sessions_of_loops_that_ended_are_closed_by_the_next(
    database: str, queue: Queue
) -> None:
    app = PgQueue(database)
    for _ in range(5):
        asyncio.run(_enqueue(app))
    queue.until(_OURS.replace("count(*)", "count(*) = 1"))
    assert queue.count("task") == 5
    asyncio.run(app.close())
    queue.until(_OURS.replace("count(*)", "count(*) = 0"))


async def _enqueue(app: PgQueue) -> None:
    await app.enqueue("t")


_FORKED = """
import asyncio, os, sys, psycopg, pgqueue
app = pgqueue.PgQueue(sys.argv[1])
client = pgqueue.SyncClient(sys.argv[1])

async def use():
    await asyncio.gather(*(app.enqueue("t") for _ in range(5)))
    if sys.argv[2] == "inside":
        sys.argv[2] = "done"
        fork()
    await asyncio.gather(*(app.enqueue("t") for _ in range(5)))

async def enqueue():
    async with app:
        await app.enqueue("t")

def fork():
    before = sessions()
    if os.fork() == 0:
        END
    assert os.wait()[1] == 0
    client.enqueue("t")
    assert len(before) > 1 and before <= sessions()

def sessions():
    with psycopg.connect(sys.argv[1]) as connection:
        return {*connection.execute(
            "select pid from pg_stat_activity where application_name = 'pgqueue client'"
            " and datname = current_database()"
        )}

client.enqueue("t")
asyncio.run(use())
if sys.argv[2] == "outside":
    fork()
client.close()
asyncio.run(use())
asyncio.run(app.close())
"""


@pytest.mark.parametrize(
    ("where", "end", "stored"),
    [
        ("outside", "client.enqueue('c'); asyncio.run(enqueue()); client.close(); sys.exit()", 24),
        ("outside", "client.enqueue('c'); client.close(); os._exit(0)", 23),
        ("outside", "asyncio.run(app.close()); client.close(); sys.exit()", 22),
        ("outside", "del globals()['app'], globals()['client']; sys.exit()", 22),
        ("inside", "client.enqueue('c'); os._exit(0)", 23),
    ],
)
def test_a_forked_process_starts_anew_and_leaves_its_parents_sessions_alone(
    database: str, queue: Queue, where: str, end: str, stored: int
) -> None:
    ran = _script(_FORKED.replace("END", end), database, where)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert queue.count("task") == stored


def test_a_client_whose_calls_were_under_way_it_was_forked_works_in_the_child(
    database: str, queue: Queue
) -> None:
    text = """
import os, sys, threading, pgqueue
client = pgqueue.SyncClient(sys.argv[1])
id = client.enqueue("t")
busy = [threading.Thread(target=client.wait, args=(id,), daemon=True) for _ in range(3)]
busy += [threading.Thread(target=lambda: [client.get(id) for _ in range(200)]) for _ in range(3)]
for thread in busy:
    thread.start()
children = []
for _ in range(10):
    if (child := os.fork()) == 0:
        client.enqueue("child")
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 10
client.cancel(id)
for thread in busy:
    thread.join()
"""
    ran = _script(text + "client.close()", database)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert queue.value("select count(*) from pgqueue.tasks where type = 'child'") == 10
