"""Tags from Python."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pgqueue import NewTask, PgQueue, UsageError
from tests.database.queue import Queue


async def test_each_way_to_enqueue_takes_tags(app: PgQueue, queue: Queue) -> None:
    one = await app.enqueue("t", tags=["a", "b"])
    two, three = await app.enqueue_many([NewTask("t", tags=("c",)), {"type": "t", "tags": ["d"]}])
    batch = await app.batches.create("b", tasks=[NewTask("t", tags=["e"])])
    assert [(await app.get(id)).tags for id in (one, two, three)] == [["a", "b"], ["c"], ["d"]]
    in_batch = "select tags from pgqueue.tasks where batch_id = %s"
    assert queue.values(in_batch, batch.id) == [["e"]]


async def test_a_schedule_keeps_its_tags(app: PgQueue) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    made = await app.schedules.create("s", "t", run_at=at, tags=["nightly"])
    assert made.tags == ["nightly"]
    id = await app.schedules.trigger("s")
    assert (await app.get(id)).tags == ["nightly"]
    assert (await app.schedules.update("s", tags=None)).tags is None


@pytest.mark.parametrize("tags", ["urgent", "{a,b}", ["a", 7], [["a"]]])
async def test_what_is_not_a_list_of_texts_is_refused(app: PgQueue, tags: Any) -> None:
    with pytest.raises(UsageError, match="tags is not a list of texts"):
        await app.enqueue("t", tags=tags)
    with pytest.raises(UsageError, match="tags is not a list of texts"):
        await app.schedules.create("s", "t", cron="0 0 1 1 *", tags=tags)


async def test_tags_out_of_range_are_refused(app: PgQueue) -> None:
    with pytest.raises(UsageError, match=r"tags of task 0 is out of range: .*up to 20"):
        await app.enqueue("t", tags=["x"] * 21)
