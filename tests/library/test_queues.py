"""Queues from Python and from the command line: read, paused, drained, resumed."""

import asyncio
import json

import pytest
from click.testing import CliRunner, Result

from pgqueue import NotFound, PgQueue, SyncClient
from pgqueue.commands.cli import group
from tests.database.queue import Queue


def run(database: str, *arguments: str) -> Result:
    runner = CliRunner(env={"PGQUEUE_DATABASE_URL": database, "USER": "ada", "LOGNAME": "ada"})
    return runner.invoke(group, ["queue", *arguments])


async def test_a_queue_is_read_with_the_words_of_its_view(database: str, queue: Queue) -> None:
    queue.value("select pgqueue.set_queue('email', concurrency => 3)::text")
    async with PgQueue(database) as app:
        email = await app.queue("email")
        assert (email.state, email.concurrency, email.still_running) == ("active", 3, None)
        with pytest.raises(NotFound):
            await app.queue("none")
        with pytest.raises(NotFound):
            await app.resume("none")


async def test_a_drain_waits_for_what_runs_and_no_longer_than_asked(
    database: str, queue: Queue
) -> None:
    lease = queue.start(queue.worker())
    async with PgQueue(database) as app:
        with pytest.raises(TimeoutError):
            await app.drain("default", "a new schema", by="ada", timeout=0.1)
        assert (await app.queue("default")).paused_by == "ada"
        draining = asyncio.create_task(app.drain("default", "a new schema", by="ada"))
        queue.finish(lease)
        drained = await draining
        assert (drained.state, drained.still_running) == ("paused", 0)
        await app.resume("default")
        assert (await app.queue("default")).state == "active"


def test_the_synchronous_client_does_the_same(database: str, queue: Queue) -> None:
    with SyncClient(database) as client:
        assert client.drain("email", "a new schema", by="ada", timeout=45).state == "paused"
        assert client.queue("email").paused_reason == "a new schema"
        client.resume("email")
        assert client.queue("email").state == "active"


def test_the_command_pauses_drains_resumes_and_shows(database: str, queue: Queue) -> None:
    paused = run(database, "email", "--pause", "--reason", "the provider is down", "--json")
    assert paused.exit_code == 0, paused.output
    shown = json.loads(paused.stdout)
    assert (shown["paused_by"], shown["paused_reason"]) == ("ada", "the provider is down")
    assert run(database, "email", "--drain", "--timeout", "5").exit_code == 0
    text = run(database, "email").stdout
    assert ["state", "paused"] in [line.split() for line in text.splitlines()]
    resumed = run(database, "email", "--resume")
    assert ["state", "active"] in [line.split() for line in resumed.stdout.splitlines()]


def test_the_command_ends_with_status_1_when_a_drain_takes_longer(
    database: str, queue: Queue
) -> None:
    queue.start(queue.worker())
    late = run(database, "default", "--drain", "--timeout", "0")
    assert late.exit_code == 1
    assert ["still_running", "1"] in [line.split() for line in late.stdout.splitlines()]


@pytest.mark.parametrize("options", [["--reason", "x"], ["--pause", "--timeout", "1"]])
def test_the_command_refuses_what_does_not_go_together(database: str, options: list[str]) -> None:
    assert run(database, "email", *options).exit_code == 1
