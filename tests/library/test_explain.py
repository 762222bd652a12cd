"""Why a task waits, from Python and from the command line."""

import json

import pytest
from click.testing import CliRunner, Result

from pgqueue import NotFound, PgQueue, SyncClient
from pgqueue.commands.cli import group
from tests.database.queue import Queue

NONE = "00000000-0000-7000-8000-000000000000"


def run(database: str, *arguments: str) -> Result:
    return CliRunner(env={"PGQUEUE_DATABASE_URL": database}).invoke(group, ["task", *arguments])


async def test_the_reasons_come_with_what_a_program_needs(database: str, queue: Queue) -> None:
    async with PgQueue(database) as app:
        id = await app.enqueue("t", delay=60)
        explained = await app.explain(id)
        assert [reason.code for reason in explained.reasons] == ["no_worker", "scheduled"]
        assert (explained.status, explained.why) == (
            "scheduled",
            "No live worker serves queue default.",
        )
        assert explained.earliest_start_at is None
        assert explained.reasons[1].earliest_start_at == (await app.get(id)).run_at
        with pytest.raises(NotFound):
            await app.explain(NONE)
    with SyncClient(database) as client:
        assert client.explain(id).reasons == explained.reasons


def test_the_command_shows_a_task_and_says_why(database: str, queue: Queue) -> None:
    id = queue.enqueue("t", payload=json.dumps({"order": 7}))
    shown = run(database, id)
    assert ["payload", '{"order":7}'] in [line.split() for line in shown.stdout.splitlines()]
    assert json.loads(run(database, id, "--json").stdout)["status"] == "queued"
    why = run(database, id, "--why")
    assert why.stdout.splitlines() == [
        "no_worker: No live worker serves queue default.",
        "earliest start: unknown (it does not depend on time)",
    ]
    explained = json.loads(run(database, id, "--why", "--json").stdout)
    assert explained["reasons"][0]["code"] == "no_worker"
    assert run(database, NONE).exit_code == 1
