"""Mutants beyond the eight: other protections without which tasks get lost or run twice."""

from tests.mutants.access import ACCESS
from tests.mutants.mutant import Change, one

__all__ = ["MORE"]

_SQL = "sql/functions"


MORE = (
    *ACCESS,
    one(
        "limit without its lock",
        "two claims of a queue count its places at the same time, and each takes what is left",
        Change(
            f"{_SQL}/claims/claim_limited.sql",
            "if not pg_try_advisory_xact_lock("
            "hashtextextended('pgqueue:limit:' || claim_limited.queue, 0)) then",
            "if false then",
        ),
        "test_while_a_claim_is_open_another_gets_only_what_is_left_after_it",
    ),
    one(
        "place not counted",
        "an attempt that runs takes no place of its limit, so that another takes it, too",
        Change(
            f"{_SQL}/limits/limit_places.sql",
            "where r.limited and r.queue = limit_places.queue and r.lease_id = any (leases)\n",
            "where false\n",
        ),
        "test_no_more_run_at_once_than_the_concurrency",
        "test_a_rescue_frees_a_slot_once_and_a_stale_finish_frees_nothing",
    ),
    one(
        "fairness without turns",
        "the first key of a fair queue goes on until it has nothing left",
        Change(
            f"{_SQL}/claims/fair_picks.sql",
            "order by t.nth / t.weight, t.n, t.nth\n",
            "order by t.n, t.nth\n",
        ),
        "test_one_claim_of_many_gives_each_key_its_share_and_all_that_is_left_to_others",
    ),
    one(
        "key forgotten on the way back",
        "a task that becomes runnable again in a fair queue takes its turn with its user's others",
        Change(
            f"{_SQL}/claims/make_ready.sql",
            "coalesce(t.fairness_key, t.user_id::text)",
            "t.user_id::text",
        ),
        "test_a_task_that_becomes_runnable_again_has_all_that_it_was_given[nothing]",
        "test_a_task_that_becomes_runnable_again_has_all_that_it_was_given[release]",
    ),
    one(
        "option lost by a dead letter",
        "a task that is redriven after its day tells nobody when it ends",
        Change(
            f"{_SQL}/dead_letters/keep_dead_letters.sql",
            "'{id, created_at,",
            "'{callback_url, id, created_at,",
        ),
        "test_a_task_that_becomes_runnable_again_has_all_that_it_was_given[redrive_after_its_day]",
    ),
    one(
        "batch without a door",
        "two who end the last two tasks of a batch do not see each other's",
        Change(
            f"{_SQL}/groups/end_batches.sql",
            "        perform pg_advisory_xact_lock("
            "hashtextextended('pgqueue:batch:end:' || found_batch.id, 0));\n",
            "",
        ),
        "test_two_who_end_the_last_two_tasks_at_once_end_the_batch_once[plain]",
    ),
    one(
        "unique key without turns",
        "two writers of a key do not wait for each other, and each finds it free",
        Change(
            f"{_SQL}/tasks/enqueue_unique.sql",
            "    on conflict on constraint dedup_pkey do update set\n"
            "        expires_at = greatest(d.expires_at,"
            " d.created_at + (excluded.expires_at - excluded.created_at)),\n"
            "        lasting = d.lasting or excluded.lasting\n"
            "    where d.expires_at < d.created_at + (excluded.expires_at - excluded.created_at)"
            " or excluded.lasting > d.lasting;",
            "    on conflict do nothing;",
        ),
        "test_32_writers_without_a_head_start_make_one_task[a key whose task has ended]",
    ),
    one(
        "crash not counted",
        "a task that kills whatever runs it does so for ever",
        Change(
            f"{_SQL}/claims/finish.sql",
            "when i.outcome = 'crashed' then r.crashes + 1 >= 3",
            "when i.outcome = 'crashed' then false",
        ),
        "test_a_task_that_crashes_its_worker_three_times_fails",
    ),
    one(
        "cancel forgotten",
        "a cancel that meets the end of an attempt has no effect",
        Change(
            f"{_SQL}/claims/finish.sql",
            "case when r.cancel_requested then 'cancelled' else i.outcome end as outcome",
            "i.outcome",
        ),
        "test_a_finish_whose_row_a_cancel_moves_meanwhile_still_ends_the_task_as_cancelled",
    ),
    one(
        "cursor without sweep",
        "a claim never looks behind its cursor, where a slow transaction commits",
        Change(
            "worker/pgqueue_worker/attempts/claimer.py",
            '"cursors": self._lanes.starts(queues, sweeps=sweeps),',
            '"cursors": self._lanes.starts(queues, sweeps=False),',
        ),
        "test_a_task_that_commits_behind_the_cursor_is_found",
    ),
    one(
        "cursor not looked at",
        "a claim reads all the dead at the head of its queue, again and again",
        Change(
            f"{_SQL}/claims/claim.sql",
            "r.seq > coalesce(cursors[pair + 1], 0) and ",
            "",
        ),
        "test_a_claim_looks_above_its_cursor_only_and_the_sweep_finds_the_rest",
        "test_claim_and_finish_cost_the_same_however_long_a_snapshot_is_held",
    ),
    one(
        "types not looked at",
        "a worker takes tasks of types that it does not have",
        Change(
            f"{_SQL}/claims/claim.sql",
            " and (types is null or r.type = any (types))",
            "",
        ),
        "test_a_claim_takes_its_types_only",
    ),
    one(
        "NOTIFY inside the writing transaction",
        "finishing tells watchers itself, so that commits wait for each other",
        Change(
            f"{_SQL}/claims/finish.sql",
            "        if slowed is not null then\n",
            "        perform announce(ids);\n        if slowed is not null then\n",
        ),
        "test_the_writing_functions_notify_nobody_themselves",
    ),
    one(
        "listener believed",
        "a listener that is connected counts as one that hears",
        Change(
            "pgqueue/database/listener.py",
            "                        await self._heard.wait()\n",
            "                        await asyncio.sleep(0)\n",
        ),
        "test_a_listener_that_hears_nothing_says_so_until_it_hears",
    ),
    one(
        "claim loop unwatched",
        "a worker is ready although its claim loop stands still",
        Change(
            "worker/pgqueue_worker/supervisor/readiness.py",
            "if still_s > self._max_still_s and not process.retiring:",
            "if still_s < 0:",
        ),
        "test_a_claim_loop_may_be_still_for_five_seconds_or_three_polls",
    ),
)
