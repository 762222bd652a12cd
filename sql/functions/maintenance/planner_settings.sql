-- The settings of the planner under which each function runs, whatever the statistics say. This list is the only place
-- that has them: `migrate` applies them in the transaction that replaces the functions. The settings hold for the
-- functions that one calls, too, unless those have their own. For the reasons and the figures, see docs/adr/0013. All
-- of them run with jit off.
create or replace function pgqueue_private.planner_settings() returns table (function_name text, settings text[])
language sql immutable
as $$
    select f.name, array['jit=off'] || l.settings
    from (values
        -- The usual: one plan, which goes by an index.
        ('{plan_cache_mode=force_generic_plan, enable_seqscan=off}'::text[], '{
            batch_tasks, change_task, complete_attempt, dead_letter_states, delivery_states, enqueue_unique, expire,
            explain, explain_started, fill_slots, fire_planned, group_dead_letters, hold_tasks, join_batches, key_limits,
            key_room, list_tasks, live_tasks, lock_tokens, open_tasks, parents_of, scan_batch, schedule_states, tail_logs,
            task_changes, task_graph, task_states, tie_tasks
        }'::text[]),
        -- These read an index in its order and stop. With the statistics of an empty table, the backlog was read and
        -- sorted whole for each batch.
        ('{plan_cache_mode=force_generic_plan, enable_seqscan=off, enable_bitmapscan=off, enable_sort=off}', '{
            age_tasks, due_schedules, ended_minute_before, explain_order, fair_keys, fair_picks, held_back, limit_room, limit_state,
            limited_picks, promote, prune_dedup, prune_schedule_slots, read_lanes, runnable_lanes, scale, unblock, unblock_waiting
        }'),
        ('{plan_cache_mode=force_generic_plan, enable_seqscan=off, enable_sort=off}', '{scan_live_tasks}'),
        ('{plan_cache_mode=force_generic_plan, enable_seqscan=off, enable_bitmapscan=off}', '{limit_holders, use_limit}'),
        -- Called by finish(), settle_dependents() or search_facts(), which set nested loops off; these look up a row for
        -- each task.
        ('{plan_cache_mode=force_generic_plan, enable_seqscan=off, enable_nestloop=on}', '{
            count_ended, end_waiting, in_status, keep_dead_letters, make_ready, tell_of_tasks
        }'),
        ('{enable_nestloop=on}', '{send_webhooks}'),
        -- These read an index in its order, too. The lateral of claim() is a nested loop all the same; its facts, and
        -- the attempts of search_facts(), are read in one pass over their index and hashed.
        (
            '{plan_cache_mode=force_generic_plan, enable_seqscan=off, enable_bitmapscan=off, enable_sort=off,
                enable_nestloop=off, enable_mergejoin=off}',
            '{claim, search_facts}'
        ),
        -- Tokens are hashed, so that they are read in one pass over their index. complete() runs under the settings of
        -- finish().
        (
            '{plan_cache_mode=force_generic_plan, enable_seqscan=off, enable_nestloop=off, enable_mergejoin=off}',
            '{finish, settle_dependents}'
        ),
        -- Types and keys are few: a hash of them costs less than a look at their index for each task.
        ('{plan_cache_mode=force_generic_plan, enable_seqscan=off, enable_nestloop=off}', '{enqueue_many, place_keyed}'),
        -- A hash would read all that runs, however little was reported.
        (
            '{plan_cache_mode=force_generic_plan, enable_seqscan=off, enable_hashjoin=off, enable_mergejoin=off}',
            '{append_events, record_progress}'
        ),
        ('{plan_cache_mode=force_generic_plan}', '{queue_activity}'),
        -- These may have plans of their own for the values they are called with.
        ('{enable_seqscan=off}', '{
            dead_letter_queues, end_batch, end_batches, fold_batches, follow_up, heartbeat, operate_on_tasks,
            prune_batches, prune_dead_letters, prune_webhooks, queue_room, reopen_batches, save_checkpoint, watch_dead_letters
        }'),
        ('{enable_seqscan=off, enable_sort=off}', '{list_deliveries, scan_dead_letters}'),
        ('{enable_seqscan=off, enable_bitmapscan=off, enable_sort=off}', '{runnable_queues, waiting_queues}'),
        -- With the ids known, only the partitions of that day are opened.
        ('{plan_cache_mode=force_custom_plan}', '{forget_day, prune_day, replace_day}'),
        ('{plan_cache_mode=force_custom_plan, enable_seqscan=off}', '{thin_day}'),
        -- Everything is read whole: with stale statistics, a nested loop would read it whole for each row.
        ('{enable_nestloop=off, work_mem=64MB}', '{check}'),
        ('{}', '{doctor_days, doctor_holders, doctor_locks, doctor_maintenance, doctor_settings, doctor_vacuum, doctor_waiting}')
    ) as l (settings, functions)
    cross join lateral unnest(l.functions) as f (name)
$$;
