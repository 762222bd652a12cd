"""The eight seeded mutants: what a queue on PostgreSQL is broken by most often."""

from tests.mutants.mutant import Change, Mutant, Variant

__all__ = ["EIGHT"]

_SQL = "sql/functions"


_NO_FENCE = Mutant(
    "no fence",
    "whoever names the task may end it or report on it, with whatever lease",
    (
        Variant(
            "finish",
            (
                Change(
                    f"{_SQL}/claims/finish.sql",
                    "(r.task_id, r.lease_id) = (i.task_id, i.lease_id)",
                    "r.task_id = i.task_id",
                ),
            ),
            (
                "test_a_worker_that_lost_its_lease_cannot_finish_the_task",
                "test_a_lease_that_never_was_is_refused",
            ),
        ),
        Variant(
            "complete, the short way of finish",
            (
                Change(
                    f"{_SQL}/claims/complete.sql",
                    "(r.task_id, r.lease_id) = (i.task_id, i.lease_id)",
                    "r.task_id = i.task_id",
                ),
            ),
            ("test_a_worker_that_lost_its_lease_cannot_complete_the_task_the_short_way",),
        ),
        Variant(
            "heartbeat",
            (
                Change(
                    f"{_SQL}/claims/heartbeat.sql",
                    "w.id = any (workers) and w.state in ('active', 'draining')",
                    "w.id = any (workers)",
                ),
            ),
            ("test_a_heartbeat_that_comes_later_is_told_that_the_worker_is_lost",),
        ),
        Variant(
            "progress",
            (
                Change(
                    f"{_SQL}/tasks/record_progress.sql",
                    "where r.task_id = i.task_id and r.lease_id = i.lease_id",
                    "where r.task_id = i.task_id",
                ),
            ),
            ("test_a_worker_that_lost_its_lease_cannot_report_progress",),
        ),
        Variant(
            "logs",
            (
                Change(
                    f"{_SQL}/tasks/append_events.sql",
                    "where r.task_id = e.task_id and r.lease_id = e.lease_id",
                    "where r.task_id = e.task_id",
                ),
            ),
            ("test_log_lines_of_a_lost_lease_are_forgotten",),
        ),
        Variant(
            "files",
            (
                Change(
                    f"{_SQL}/tasks/save_artifact.sql",
                    "where r.task_id = save_artifact.task_id"
                    " and r.lease_id = save_artifact.lease_id",
                    "where r.task_id = save_artifact.task_id",
                ),
            ),
            ("test_a_worker_that_lost_its_lease_cannot_save_a_file",),
        ),
        Variant(
            "checkpoints",
            (
                Change(
                    f"{_SQL}/tasks/save_checkpoint.sql",
                    "where r.task_id = save_checkpoint.task_id"
                    " and r.lease_id = save_checkpoint.lease_id",
                    "where r.task_id = save_checkpoint.task_id",
                ),
            ),
            ("test_an_attempt_that_lost_its_lease_cannot_save_a_checkpoint",),
        ),
    ),
)


def _waits(file: str, test: str, times: int = 1) -> Variant:
    """Have whoever comes second wait for the rows that the first one holds."""
    skips = Change(f"{_SQL}/{file}.sql", "for update skip locked", "for update", times)
    return Variant(file, (skips,), (test,))


_NO_SKIP_LOCKED = Mutant(
    "no SKIP LOCKED",
    "who finds rows locked waits for whoever holds them",
    (
        _waits("claims/claim", "test_a_second_claimer_gets_the_others_at_once"),
        _waits(
            "claims/fair_picks",
            "test_two_claims_at_once_never_take_the_same_task",
            times=2,
        ),
        _waits("claims/promote", "test_a_promoter_does_not_wait_for_another"),
        _waits("claims/rescue", "test_a_rescue_does_not_wait_for_a_finish"),
        _waits(
            "schedules/due_schedules",
            "test_a_schedule_that_one_scheduler_has_in_hand_keeps_nobody_from_the_others",
        ),
    ),
)


def _clock(file: str, *tests: str) -> Variant:
    """Have a function ask the session for the time, and not the service's one clock."""
    asks = Change(
        f"{_SQL}/{file}.sql",
        "now constant timestamptz := pgqueue.clock();",
        "now constant timestamptz := clock_timestamp();",
    )
    return Variant(file, (asks,), tests)


_OWN_CLOCK = Mutant(
    "own clock",
    "a transition goes by a clock of its own",
    (
        _clock("claims/claim", "test_a_worker_that_is_not_active_claims_nothing[expired]"),
        _clock(
            "claims/finish",
            "test_a_shifted_clock_is_everyones[5]",
            "test_nothing_but_the_clock_asks_the_session_for_the_time",
        ),
        _clock(
            "claims/rescue",
            "test_the_task_of_a_worker_whose_lease_ran_out_runs_again",
        ),
        _clock("claims/heartbeat", "test_a_heartbeat_renews_the_leases"),
        _clock(
            "claims/promote",
            "test_a_failed_attempt_is_tried_again_after_its_delay[failed]",
        ),
        Variant(
            "the clock itself, frozen in a transaction",
            (Change(f"{_SQL}/time/clock.sql", "pg_catalog.clock_timestamp()", "pg_catalog.now()"),),
            ("test_the_clock_is_not_frozen_in_a_transaction",),
        ),
    ),
)

_NO_POLL = Mutant(
    "NOTIFY without poll",
    "an idle worker looks when it is told to, and not before",
    (
        Variant(
            "claimer",
            (
                Change(
                    "worker/pgqueue_worker/attempts/claimer.py",
                    "                async with asyncio.timeout(pause):\n"
                    "                    await self._bell.wait()",
                    "                async with asyncio.timeout(None):\n"
                    "                    await self._bell.wait()",
                ),
            ),
            ("test_a_task_that_nobody_announces_is_found_by_the_poll",),
        ),
    ),
)

_NO_RE_CHECK = Mutant(
    "rescue without re-check",
    "what looked lost before the locks were had is taken as lost",
    (
        Variant(
            "workers: a heartbeat came in between",
            (
                Change(
                    f"{_SQL}/claims/rescue.sql",
                    "    update worker as w set state = 'lost'\n"
                    "    where w.state in ('active', 'draining')"
                    " and (w.id = any (dead) or w.expires_at < now);",
                    "    dead := array(\n"
                    "        select w.id from worker as w\n"
                    "        where w.state in ('active', 'draining')"
                    " and (w.id = any (dead) or w.expires_at < now)\n"
                    "    );\n"
                    "    update worker as w set state = 'lost' where w.id = any (dead);",
                ),
            ),
            ("test_a_heartbeat_that_comes_first_keeps_its_worker",),
        ),
        Variant(
            "tasks: the same task runs again elsewhere",
            (
                Change(
                    f"{_SQL}/claims/rescue.sql",
                    "    update worker as w set state = 'lost'\n",
                    "    task_ids := array(select r.task_id from running as r join worker as w on"
                    " w.id = r.worker_id where w.id = any (dead) or w.expires_at < now);\n"
                    "    update worker as w set state = 'lost'\n",
                ),
                Change(
                    f"{_SQL}/claims/rescue.sql",
                    "        where not exists (\n"
                    "            select from worker as w where w.id = r.worker_id"
                    " and w.state in ('active', 'draining')\n"
                    "        )\n",
                    "        where r.task_id = any (task_ids)\n",
                ),
            ),
            ("test_a_task_that_went_on_elsewhere_while_a_rescue_waited_is_left_alone",),
        ),
    ),
)

_COUNTED_LATE = Mutant(
    "attempt counted at failure",
    "a start counts when it has failed: one whose worker died never was",
    (
        Variant(
            "claim and finish",
            (
                Change(
                    f"{_SQL}/claims/claim.sql",
                    "l.attempt + 1, l.budget, l.crashes, l.priority, claim.limited,",
                    "l.attempt, l.budget, l.crashes, l.priority, claim.limited,",
                ),
                Change(
                    f"{_SQL}/claims/finish.sql",
                    "r.attempt >= r.budget",
                    "r.attempt + 1 >= r.budget",
                ),
                Change(
                    f"{_SQL}/claims/finish.sql",
                    "task_id, lease_id, user_id, worker_id, started_at, now, attempt, final,",
                    "task_id, lease_id, user_id, worker_id, started_at, now, attempt + 1, final,",
                ),
                Change(
                    f"{_SQL}/claims/finish.sql",
                    "attempt - (outcome in ('snoozed', 'released'))::int",
                    "attempt + (outcome in ('failed', 'timed_out'))::int",
                ),
                Change(
                    f"{_SQL}/claims/finish.sql",
                    "least(budget + (outcome = 'crashed')::int, 32767)",
                    "budget",
                ),
                Change(
                    f"{_SQL}/claims/complete.sql",
                    "worker_id, started_at, now, attempt, true,",
                    "worker_id, started_at, now, attempt + 1, true,",
                ),
            ),
            (
                "test_a_crash_is_charged_apart_from_the_attempts_and_the_third_is_final",
                "test_a_start_counts_although_its_worker_died_and_told_nobody",
            ),
        ),
    ),
)

_DECODED_EARLY = Mutant(
    "payload decoded in claim",
    "one payload that no parser takes stops all that were claimed with it",
    (
        Variant(
            "the worker, for every row of a claim",
            (
                Change(
                    "worker/pgqueue_worker/lease.py",
                    "        return cls(task, now, task.traceparent)",
                    "        orjson.loads(task.payload)\n"
                    "        return cls(task, now, task.traceparent)",
                ),
            ),
            ("test_a_payload_that_no_parser_takes_stops_nothing_that_is_claimed_with_it",),
        ),
        Variant(
            "the driver, as the function gives jsonb",
            (
                Change(
                    f"{_SQL}/claims/claim.sql",
                    "wait_s float8, payload text,",
                    "wait_s float8, payload jsonb,",
                ),
                Change(f"{_SQL}/claims/claim.sql", "t.payload::text as payload", "t.payload"),
                Change(
                    f"{_SQL}/claims/claim_limited.sql",
                    "wait_s float8, payload text,",
                    "wait_s float8, payload jsonb,",
                ),
            ),
            ("test_a_storable_payload_is_claimed_finished_and_read[60 levels]",),
        ),
    ),
)

_SLOT_TWICE = Mutant(
    "slot not unique",
    "a due time of a schedule may be enqueued as often as somebody thinks it is due",
    (
        # A slot is what the project calls one due time of a schedule. What used to be called so
        # beside it, a place of a limit, is a row of `running` today: see more.py for that.
        Variant(
            "schedule_slot has no key over (schedule, due time)",
            (
                Change(
                    "sql/migrations/0006_schedules.sql",
                    "    primary key (schedule_id, due_at),\n",
                    "",
                ),
                Change(
                    f"{_SQL}/schedules/fill_slots.sql",
                    "        on conflict (schedule_id, due_at) do update\n"
                    "        set at = excluded.at, kind = excluded.kind, fate = excluded.fate,"
                    " open = true, reason = null, task_id = excluded.task_id;",
                    "        ;",
                ),
                Change(
                    f"{_SQL}/schedules/fill_slots.sql",
                    "    on conflict (schedule_id, due_at) do update"
                    " set at = excluded.at, fate = excluded.fate, reason = excluded.reason\n"
                    "    where l.fate = 'waiting';",
                    "    ;",
                ),
            ),
            ("test_a_due_time_is_unique_whatever_a_scheduler_thinks",),
        ),
        Variant(
            "who fills slots does not look whether they are filled",
            (
                Change(
                    f"{_SQL}/schedules/fill_slots.sql",
                    ") is distinct from 'enqueued'\n",
                    ") is distinct from 'never'\n",
                ),
            ),
            ("test_a_due_time_is_unique_whatever_a_scheduler_thinks",),
        ),
    ),
)

EIGHT = (
    _NO_FENCE,
    _NO_SKIP_LOCKED,
    _OWN_CLOCK,
    _NO_POLL,
    _NO_RE_CHECK,
    _COUNTED_LATE,
    _DECODED_EARLY,
    _SLOT_TWICE,
)
