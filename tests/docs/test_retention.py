"""The examples of the chapters on retention and on maintenance, executed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import orjson
import psycopg
import pytest
from click.testing import CliRunner
from pgqueue_worker.duties import DUTIES

from pgqueue import PgQueue
from pgqueue.commands.cli import group
from tests.database.queue import Queue
from tests.database.test_check import PLANTED
from tests.docs.blocks import ROOT, blocks
from tests.docs.running import run


@pytest.fixture
def queue(
    connect: Callable[..., psycopg.Connection], database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Queue]:
    monkeypatch.setenv("PGQUEUE_DATABASE_URL", database)
    with ThreadPoolExecutor(1) as threads:
        yield Queue(connect, threads)


def test_the_statements_on_retention_do_what_the_chapter_says(queue: Queue) -> None:
    setting, days, pruned = blocks("retention.md", "sql")
    said = [queue.rows(statement) for statement in setting.strip().split(";\n")]
    assert said[1] == [
        {"name": "audit", "retention": {"tasks_s": 7776000, "artifacts_s": 86400}},
    ]
    assert queue.value("select retention from pgqueue.queues where name = 'audit'") is None
    assert len(queue.rows(days)) == 8
    assert queue.value(pruned) is False


async def test_the_calls_on_retention_do_what_the_chapter_says(queue: Queue) -> None:
    (block,) = blocks("retention.md", "python")
    names = await run(block, "retention.md")
    app = names["app"]
    assert isinstance(app, PgQueue)
    assert (await app.queue("audit")).retention == {"tasks_s": 7776000, "artifacts_s": 86400}
    await app.close()


def test_the_request_on_retention_is_the_same_setting(queue: Queue) -> None:
    (block,) = blocks("retention.md", "http")
    settings = block.split("\n\n", 1)[1]
    queue.value("select pgqueue.patch_queue('audit', %s::jsonb)", settings)
    found = queue.value("select retention from pgqueue.queues where name = 'audit'")
    assert found == orjson.loads(settings)["retention"]


def test_the_statements_on_maintenance_run(queue: Queue) -> None:
    duties, doctor, check = blocks("maintenance.md", "sql")
    assert queue.rows(duties) == []
    assert "no maintenance duty has ever run" in {row["finding"] for row in queue.rows(doctor)}
    assert queue.rows(check) == []


def test_the_doctor_is_called_as_the_chapter_says(queue: Queue) -> None:
    doctor, _check = blocks("maintenance.md", "sh")
    result = CliRunner().invoke(group, doctor.split()[1:])
    assert result.exit_code == 2
    topics = {line.split()[1] for line in result.output.splitlines() if "→" not in line}
    chapter = (ROOT / "docs" / "maintenance.md").read_text()
    assert all(f"`{topic}`" in chapter for topic in topics)


def test_the_check_is_called_as_the_chapter_says_and_each_topic_is_in_it(queue: Queue) -> None:
    _doctor, check = blocks("maintenance.md", "sh")
    result = CliRunner().invoke(group, check.split()[1:])
    assert (result.output, result.exit_code) == ("sound\n", 0)
    chapter = (ROOT / "docs" / "maintenance.md").read_text()
    topics = {topic for topic, _, _ in PLANTED.values()}
    assert all(f"| `{topic}` |" in chapter for topic in topics)


def test_the_chapter_names_every_duty() -> None:
    chapter = (ROOT / "docs" / "maintenance.md").read_text()
    assert [duty.name for duty in DUTIES if f"`{duty.name}`" not in chapter] == []
