"""`pgqueue.check()` names whatever does not agree, and nothing else."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random
from threading import Event

import psycopg
import pytest
from click.testing import CliRunner, Result

from pgqueue.commands.check import command
from tests.database.queue import NOON, Queue
from tests.database.schedules import patch
from tests.database.test_batches import create
from tests.database.test_limits import claim, limit
from tests.servers import Server
from tests.soundness import assert_sound, violations

DAY = 86400
CALLBACK = '{"type": "called"}'


@pytest.fixture(scope="module")
def lived_in(server: Server, template: str) -> Iterator[Queue]:
    """A queue with something of everything. Tests plant into it and roll back."""
    name = server.create(template)
    with (
        psycopg.connect(server.dsn(name), autocommit=True) as connection,
        ThreadPoolExecutor(1) as threads,
    ):
        queue = Queue(lambda **_: connection, threads)
        live(queue)
        assert_sound(connection)
        yield queue
    server.drop(name)


def live(queue: Queue) -> None:
    """Leave tasks in every state; each type has a queue of its own, but for those in batches."""
    worker = queue.worker(10 * DAY)

    def start(type: str, **options: object) -> dict:
        return queue.start(worker, type=type, queue=type, **options)

    def end(*types: str) -> None:
        for lease in queue.claim(worker, queues=types):
            queue.finish(lease)

    queue.finish(start("completed"))
    queue.finish(start("failed", max_attempts=1), "failed")
    queue.finish(start("crashed"), "crashed")
    queue.finish(start("retrying"), "failed", delay_s=DAY)
    queue.enqueue("fresh", queue="fresh")
    queue.enqueue_many(
        {"type": "scheduled", "queue": "scheduled", "delay_s": DAY},
        {"type": "expiring", "queue": "expiring", "expires_in_s": DAY},
    )
    unique = {"type": "unique", "queue": "unique", "dedup_key": "one", "dedup_window_s": DAY}
    queue.enqueue_unique(unique)
    queue.rows(
        "select pgqueue_private.enqueue_idempotent('mine', '', %s, '{1}', 1)",
        json.dumps([{"type": "t", "queue": "idempotent"}]),
    )

    for name in ("keyed", "other"):
        limit(queue, '{"concurrency": 10, "per_key": {"concurrency": 2}}', name)
        queue.enqueue_many(*[{"type": "keyed", "queue": name, "limit_key": "acme"}] * 3)
        assert len(claim(queue, worker, name=name)) == 2

    parent = start("parent")["task_id"]
    queue.enqueue_many({"type": "child", "queue": "child", "depends_on": [parent]})

    make = """select id::text from pgqueue.create_batch(
        %s, %s, on_complete => %s, parent_id => %s, open => true)"""
    three = json.dumps([{"type": "batched", "queue": f"batch {n}"} for n in range(3)])
    outer = queue.value(make, "outer", three, CALLBACK, None)
    queue.value(make, "inner", json.dumps([{"type": "batched", "queue": "inner"}]), None, outer)
    queue.value(make, "ended", json.dumps([{"type": "b", "queue": "ended"}]), CALLBACK, None)
    queue.rows("select pgqueue.close_batch(id) from pgqueue_private.batch")
    end("batch 0", "ended")
    queue.claim(worker, queues=("batch 1",))
    queue.value("select pgqueue_private.fold_rollups()")

    patch(queue, "nightly", type="t", queue="nightly", cron="0 3 * * *")
    queue.value("select pgqueue.trigger_schedule('nightly')")


def of(type: str) -> str:
    return f"(select id from pgqueue_private.task where type = '{type}' limit 1)"


def batch(name: str) -> str:
    return f"(select id from pgqueue_private.batch where name = '{name}')"


NOBODY = "pgqueue_private.new_id(pgqueue_private.id_bits(pgqueue.clock()), 7)"

# what is wrong: the topic, the words that name it, and the statement that plants it
PLANTED = {
    "a token is lost": (
        "places",
        "is nowhere",
        f"delete from pgqueue_private.ready where task_id = {of('fresh')}",
    ),
    "a running row is lost": (
        "places",
        "is nowhere",
        f"delete from pgqueue_private.running where task_id = {of('parent')}",
    ),
    "a final attempt is lost": (
        "places",
        "is nowhere",
        f"delete from pgqueue_private.attempt where task_id = {of('completed')}",
    ),
    "a task has two tokens of one kind": (
        "places",
        "is in 2 places: ready, ready",
        f"""insert into pgqueue_private.ready
                (task_id, ready_at, priority, budget, queue, type, requeued)
            values ({of("fresh")}, pgqueue.clock(), 5, 3, 'fresh', 't', true)""",
    ),
    "a task waits and runs": (
        "places",
        "is in 2 places: delayed, running",
        f"""insert into pgqueue_private.delayed
                (task_id, run_at, priority, budget, queue, type, status)
            values ({of("parent")}, pgqueue.clock(), 5, 3, 'parent', 't', 'scheduled')""",
    ),
    "a token has no task": (
        "places",
        "is ready, but there is no such task",
        f"update pgqueue_private.ready set task_id = {NOBODY} where queue = 'crashed'",
    ),
    "a lease has no task": (
        "places",
        "is running, but there is no such task",
        f"update pgqueue_private.running set task_id = {NOBODY} where queue = 'parent'",
    ),
    "a token is in another queue": (
        "places",
        "is ready in queue elsewhere, but is a task of queue crashed",
        "update pgqueue_private.ready set queue = 'elsewhere' where queue = 'crashed'",
    ),
    "a token is of another type": (
        "places",
        "is ready as a task of type other, but is one of type crashed",
        "update pgqueue_private.ready set type = 'other' where queue = 'crashed'",
    ),
    "a token was started too often": (
        "places",
        "is delayed after 3 starts, but may start only 3 times",
        "update pgqueue_private.delayed set attempt = 3 where queue = 'retrying'",
    ),
    "a token crashed too often": (
        "places",
        "is ready after 3 crashes",
        "update pgqueue_private.ready set crashes = 3 where queue = 'crashed'",
    ),
    "a fresh token is not where its task says": (
        "places",
        "is ready at another position than its task's",
        "update pgqueue_private.ready set seq = seq + 1 where queue = 'fresh'",
    ),
    "an ended task is back at its first place": (
        "places",
        "has ended and is ready again at its first position",
        f"""insert into pgqueue_private.ready
                (seq, task_id, ready_at, priority, budget, queue, type)
            select seq, id, pgqueue.clock(), priority, 3, queue, type from pgqueue_private.task
            where id = {of("completed")}""",
    ),
    "a task is blocked by nothing": (
        "places",
        "is blocked, but neither by a limit_key nor by other tasks",
        "delete from pgqueue_private.blocker",
    ),
    "a task waits for its key as if for a time": (
        "places",
        "waits for its limit_key, but with status scheduled",
        "update pgqueue_private.delayed set status = 'scheduled' where limit_key is not null",
    ),
    "nobody sees to an expiry": (
        "places",
        "but its expiry is not tracked",
        "delete from pgqueue_private.expiry",
    ),
    "attempts have no task": (
        "facts",
        "has attempts, but there is no such task",
        f"update pgqueue_private.attempt set task_id = {NOBODY} where task_id = {of('completed')}",
    ),
    "events have no task": (
        "facts",
        "has events, but there is no such task",
        f"""insert into pgqueue_private.task_event (task_id, lease_id, seq, at, type, level,
            message)
            values ({NOBODY}, 1, 1, pgqueue.clock(), 'log', 'info', '')""",
    ),
    "artifacts have no task": (
        "facts",
        "has artifacts, but there is no such task",
        f"""insert into pgqueue_private.artifact
            (task_id, name, lease_id, created_at, content_type, size, sha256, data)
            values ({NOBODY}, 'a', 1, pgqueue.clock(), 'text/plain', 0, '', '')""",
    ),
    "checkpoints have no task": (
        "facts",
        "has checkpoints, but there is no such task",
        f"""insert into pgqueue_private.checkpoint
            (task_id, name, lease_id, user_id, attempt, at, size, data)
            values ({NOBODY}, '', 1, 0, 1, pgqueue.clock(), 2, '{{}}')""",
    ),
    "dependencies have no task": (
        "facts",
        "has dependencies, but there is no such task",
        f"update pgqueue_private.dependency set child_id = {NOBODY}",
    ),
    "an idempotency key names nobody": (
        "facts",
        "which never existed",
        f"update pgqueue_private.idempotency set task_ids = array[{NOBODY}]",
    ),
    "two tasks have one lease": (
        "leases",
        "was issued to 2 attempts",
        """update pgqueue_private.running set lease_id = (
               select lease_id from pgqueue_private.running where queue = 'batch 1'
           ) where queue = 'parent'""",
    ),
    "a lease that has ended runs": (
        "leases",
        "was issued to 2 attempts",
        f"""update pgqueue_private.running set lease_id = (
                select lease_id from pgqueue_private.attempt where task_id = {of("completed")}
            ) where queue = 'parent'""",
    ),
    "a lease was never given out": (
        "leases",
        "was never issued",
        "update pgqueue_private.running set lease_id = lease_id + 1000000 where queue = 'parent'",
    ),
    "an older lease runs": (
        "leases",
        "whose later lease 1000 has ended",
        f"""select setval('pgqueue_private.lease_seq', 2000);
            insert into pgqueue_private.attempt
                (task_id, lease_id, user_id, finished_at, attempt, final, outcome)
            values ({of("parent")}, 1000, 0, pgqueue.clock(), 1, false, 'crashed')""",
    ),
    "nobody holds a lease": (
        "leases",
        "which does not exist",
        "update pgqueue_private.running set worker_id = 1000 where queue = 'parent'",
    ),
    "a running row is not its task's": (
        "leases",
        "its type, limit_key, cost or batch is not that of the task",
        "update pgqueue_private.running set type = 'other' where queue = 'parent'",
    ),
    "nothing follows an end": (
        "leases",
        "but its end will not be followed up",
        "update pgqueue_private.running set followed = false where queue = 'parent'",
    ),
    "a task was tried too often": (
        "attempts",
        "was tried 2 times, but its max_attempts is 1",
        f"""insert into pgqueue_private.attempt
                (task_id, lease_id, user_id, finished_at, attempt, final, outcome)
            values ({of("failed")}, 0, 0, pgqueue.clock(), 1, false, 'failed')""",
    ),
    "a task crashed too often": (
        "attempts",
        "crashed 4 times",
        f"""insert into pgqueue_private.attempt
                (task_id, lease_id, user_id, finished_at, attempt, final, outcome)
            select {of("crashed")}, -n, 0, pgqueue.clock(), 1, false, 'crashed'
            from generate_series(1, 3) as n""",
    ),
    "attempts go back": (
        "attempts",
        "has attempt 2, but its newest is attempt 1",
        f"""insert into pgqueue_private.attempt
                (task_id, lease_id, user_id, finished_at, attempt, final, outcome)
            values ({of("retrying")}, 0, 0, pgqueue.clock(), 2, false, 'failed')""",
    ),
    "an attempt completed and goes on": (
        "attempts",
        "has an attempt with outcome completed that did not end it",
        f"update pgqueue_private.attempt set final = false where task_id = {of('completed')}",
    ),
    "an end was not counted": (
        "counts",
        "1 tasks completed, but 0 were counted",
        "delete from pgqueue_private.rollup where queue = 'completed'",
    ),
    "an attempt was counted twice": (
        "counts",
        "1 attempts failed, but 2 were counted",
        "update pgqueue_private.rollup set n = 2 where queue = 'retrying'",
    ),
    "a batch does not count a task": (
        "batches",
        "has 3 tasks: 1 completed, 0 failed, 0 cancelled, 2 to come; but it counts 2: 1, 0, 0, 1",
        f"""insert into pgqueue_private.batch_delta (batch_id, total)
            values ({batch("outer")}, -1)""",
    ),
    "a batch counts an end twice": (
        "batches",
        "but it counts 3: 2, 0, 0, 1",
        f"""insert into pgqueue_private.batch_delta (batch_id, completed)
            values ({batch("outer")}, 1)""",
    ),
    "a batch does not count one in it": (
        "batches",
        "has 1 batches in it, 0 ended, 0 of them not completed; but it counts 0, 0 and 0",
        f"""insert into pgqueue_private.batch_delta (batch_id, batches)
            values ({batch("outer")}, -1)""",
    ),
    "a batch does not end": (
        "batches",
        "has no unfinished tasks or batches, but has not ended",
        "update pgqueue_private.batch set ended_at = null, outcome = null where name = 'ended'",
    ),
    "a batch ended too early": (
        "batches",
        "has ended, but some of its tasks or batches have not",
        "update pgqueue_private.batch set ended_at = pgqueue.clock() where name = 'outer'",
    ),
    "a batch ended as something else": (
        "batches",
        "has ended as failed, which does not match how its tasks and batches ended",
        "update pgqueue_private.batch set outcome = 'failed' where name = 'ended'",
    ),
    "a batch called nobody back": (
        "batches",
        "but its callback was never enqueued",
        "update pgqueue_private.batch set complete_task_id = null where name = 'ended'",
    ),
    "a batch is in none": (
        "batches",
        "which does not exist",
        f"update pgqueue_private.batch set parent_id = {NOBODY} where name = 'inner'",
    ),
    "tasks are in no batch": (
        "batches",
        "has 1 unfinished tasks, but there is no such batch",
        "delete from pgqueue_private.batch where name = 'inner'",
    ),
    "a task waits for nobody": (
        "dependencies",
        "which does not exist",
        f"update pgqueue_private.blocker set parent_id = {NOBODY}",
    ),
    "a task waits for one that has ended": (
        "dependencies",
        "which has ended",
        f"update pgqueue_private.blocker set parent_id = {of('completed')}",
    ),
    "a task waits for one that will not tell": (
        "dependencies",
        "which is not marked as followed",
        "update pgqueue_private.task set followed = null",
    ),
    "a task that waits is not blocked": (
        "dependencies",
        "but is not blocked",
        "update pgqueue_private.delayed set status = 'scheduled' where queue = 'child'",
    ),
    "a task waits for whom it was not to": (
        "dependencies",
        "which is not in its depends_on",
        "delete from pgqueue_private.dependency",
    ),
    "a task was to wait for nobody": (
        "dependencies",
        "which never existed",
        f"update pgqueue_private.dependency set parent_id = {NOBODY}",
    ),
    "a limit does not count a task that runs": (
        "limits",
        "does not count task",
        "update pgqueue_private.limit_use set leases = '{}'",
    ),
    "a ledger counts twice": (
        "limits",
        "counts a total of",
        """insert into pgqueue_private.limit_use (queue, limit_key, total, n, at, leases, newest)
           select queue, limit_key, total + 1, n + 1, at, leases, newest
           from pgqueue_private.limit_use""",
    ),
    "a ledger goes back in time": (
        "limits",
        "counts a start at",
        """insert into pgqueue_private.limit_use (queue, limit_key, total, n, at, leases, newest)
           select queue, limit_key, total + 1, 1, at - interval '1 s', leases, newest
           from pgqueue_private.limit_use""",
    ),
    "a task waits for a key that is not its own": (
        "limits",
        "which has another limit_key",
        "update pgqueue_private.delayed set limit_key = 'other' where limit_key is not null",
    ),
    "nobody looks for keys in a queue": (
        "limits",
        "in a queue that is not registered as having keys",
        "delete from pgqueue_private.keyed_queue",
    ),
    "a slot has no schedule": (
        "schedules",
        "but there is no such schedule",
        "delete from pgqueue_private.schedule",
    ),
    "a slot was enqueued without a task": (
        "schedules",
        "that is enqueued, without a task",
        "update pgqueue_private.schedule_slot set task_id = null",
    ),
    "two slots have one task": (
        "schedules",
        "for 2 slots",
        """insert into pgqueue_private.schedule_slot (schedule_id, due_at, at, fate, task_id)
           select schedule_id, due_at + interval '1 s', at, fate, task_id
           from pgqueue_private.schedule_slot""",
    ),
    "a slot's task never was": (
        "schedules",
        "which never existed",
        f"update pgqueue_private.schedule_slot set task_id = {NOBODY}",
    ),
    "a slot waits and its schedule does not know": (
        "schedules",
        "but its own row does not say so",
        "update pgqueue_private.schedule_slot set fate = 'waiting', task_id = null",
    ),
    "a schedule waits for a slot that does not": (
        "schedules",
        "but that slot does not wait",
        "update pgqueue_private.schedule set waiting_at = pgqueue.clock()",
    ),
    "a unique key names nobody": (
        "dedup",
        "which never existed",
        f"update pgqueue_private.dedup set task_id = {NOBODY}",
    ),
    "a unique key names no task": (
        "dedup",
        "names no task",
        "update pgqueue_private.dedup set task_id = null",
    ),
    "a unique key names another's task": (
        "dedup",
        "which has another key",
        f"update pgqueue_private.task set dedup_key = 'two' where id = {of('unique')}",
    ),
    "a dead letter is alive": (
        "dead_letters",
        "belongs to a task that has not ended",
        f"update pgqueue_private.dead_letter set task_id = {of('fresh')}",
    ),
    "a dead letter completed": (
        "dead_letters",
        "belongs to a task with outcome completed",
        f"update pgqueue_private.dead_letter set task_id = {of('completed')}",
    ),
    "a dead letter never was": (
        "dead_letters",
        "belongs to a task that never existed",
        f"update pgqueue_private.dead_letter set task_id = {NOBODY}",
    ),
    "a dead letter says something else": (
        "dead_letters",
        "says timed_out",
        "update pgqueue_private.dead_letter set outcome = 'timed_out'",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_named(lived_in: Queue, planted: str) -> None:
    topic, words, statement = PLANTED[planted]
    with lived_in.connection.transaction(force_rollback=True):
        lived_in.connection.execute(statement)
        found = violations(lived_in.connection)
    assert any(row[0] == topic and words in row[2] for row in found), found


def test_a_busy_queue_raises_no_false_alarm(queue: Queue) -> None:
    """Four sessions claim, finish, fail, snooze, crash, cancel and enqueue while one checks."""
    limit(queue, '{"concurrency": 30, "per_key": {"concurrency": 4}}', "keyed")
    checked = Event()
    attempts = "select count(*) from pgqueue_private.attempt"

    def enqueue(session: Queue, dice: Random) -> None:
        (parent, *_) = session.enqueue_many(*[{"type": "t", "max_attempts": 2}] * 5)
        session.enqueue_many(
            {"type": "t", "depends_on": [parent]},
            {"type": "t", "depends_on": [0, {"task": parent, "on_failure": "run"}]},
            *[{"type": "t", "queue": "keyed", "limit_key": dice.choice("abc")}] * 3,
            {"type": "t", "delay_s": 0.01, "expires_in_s": dice.choice([0.02, DAY])},
        )
        create(session, 3, on_complete='{"type": "called"}')
        session.enqueue_unique({"type": "u", "dedup_key": dice.choice("abc")})

    def work(session: Queue) -> None:
        worker, dice = session.worker(10 * DAY), Random(session.connection.info.backend_pid)
        outcomes = ["completed"] * 5 + ["failed", "crashed", "released", "snoozed", "cancelled"]
        while not checked.is_set():
            enqueue(session, dice)
            leases = session.claim(worker, 15) + claim(session, worker, 5, "keyed")
            session.cancel(dice.choice(leases)["task_id"]) if leases else None
            results = [
                {
                    **{name: lease[name] for name in ("task_id", "lease_id")},
                    "outcome": dice.choice(outcomes),
                    "retry": dice.random() < 0.7,
                    "delay_s": 0.01,
                }
                for lease in leases
            ]
            session.finish_many(*results)
            for done in results[:1]:
                with suppress(psycopg.errors.Error):  # it is not over: see retry()
                    session.retry(done["task_id"])
            session.promote()
            session.rows("select pgqueue_private.expire(10)")
            session.rows("select pgqueue_private.fold_rollups(), pgqueue_private.fold_batches()")

    with ThreadPoolExecutor(4) as threads:
        working = [threads.submit(work, queue.session()) for _ in range(4)]
        try:
            checks = 0
            while checks < 30 or queue.value(attempts) <= 200:
                assert_sound(queue.connection)
                checks += 1
        finally:
            checked.set()
        for worked in working:
            worked.result()


def test_a_day_that_was_pruned_raises_no_false_alarm(queue: Queue) -> None:
    live(queue)
    queue.shift_clock(9 * DAY)
    pruned = queue.value("select did from pgqueue_private.prune_day(%s)", NOON.date())
    assert pruned in {"replaced", "thinned"}
    assert_sound(queue.connection)
    queue.rows("select pgqueue_private.forget_day(%s)", NOON.date())
    assert_sound(queue.connection)


def test_the_command_says_sound_or_what_is_not(queue: Queue, database: str) -> None:
    def run(*options: str) -> Result:
        return CliRunner().invoke(command, options, env={"PGQUEUE_DATABASE_URL": database})

    id = queue.enqueue()
    assert (run().output, run().exit_code) == ("sound\n", 0)
    assert (run("--json").output, run("--json").exit_code) == ("[]\n", 0)

    queue.rows(
        "with lost as (delete from pgqueue_private.ready returning *) select * into lost from lost"
    )
    detail = "is nowhere: it does not wait, does not run and has not ended"
    assert (run().output, run().exit_code) == (f"places        {id}  {detail}\n", 1)
    (found,) = json.loads(run("--json").output)
    assert (found, run("--json").exit_code) == (
        {"topic": "places", "subject": id, "detail": detail},
        1,
    )
    queue.rows("insert into pgqueue_private.ready select * from lost")
