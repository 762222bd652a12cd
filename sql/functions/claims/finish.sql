-- Records how attempts ended, each exactly once and only for the holder of its lease, and moves their tokens on:
-- completed, cancelled and finally failed tasks lose theirs, failed ones wait in delayed, released ones are ready
-- again, after delay_s if given.
-- A crashed attempt, whose process ended, is not charged: the task is ready again, or failed after its third crash.
-- Each element of results: task_id, lease_id, outcome, and optionally result, error, retry (false: a failure is
-- final), progress (the last, if it was not recorded yet), delay_s or run_at (of a retry or after a snooze), reason,
-- and slow (queue or key: no task of it starts for delay_s). A retry without delay_s and run_at waits as long as its
-- policy says: see retry_delay().
-- Completed attempts that have nothing else to store may be given as arrays instead: task_ids and lease_ids, of one
-- length.
-- Returns the lease ids that were refused because they no longer hold, and whether anyone is watching.
create or replace function pgqueue_private.finish(
    results jsonb, task_ids uuid[] default '{}', lease_ids bigint[] default '{}', out refused bigint[], out watched boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    this_minute constant timestamptz := date_bin('1 minute', now, 'epoch');
    ids uuid[];
    accepted bigint[];
    ended uuid[];                                   -- of those that are followed
    outcomes text[];
    more uuid[];
    more_outcomes text[];
    plain bigint[];                                 -- recorded by complete()
    has_webhooks boolean;
    failed uuid[];
    runnable tid[];
    freed_queues text[];
    freed_keys text[];
    slowed jsonb;
begin
    if cardinality(lease_ids) > 0 then
        select c.accepted, c.followed into plain, ended from complete(task_ids, lease_ids) as c;
        if ended is not null then
            outcomes := array_fill('completed'::text, array[cardinality(ended)]);
        end if;
        if cardinality(plain) < cardinality(lease_ids) then
            results := results || (
                select jsonb_agg(jsonb_build_object('task_id', i.task_id, 'lease_id', i.lease_id, 'outcome', 'completed'))
                from unnest(task_ids, lease_ids) as i (task_id, lease_id)
                where i.lease_id <> all (plain)
            );
        end if;
    end if;

    refused := '{}';
    if jsonb_array_length(results) > 0 then
        ids := array(select (r ->> 'task_id')::uuid from jsonb_array_elements(results) as r);

        -- A token that changed meanwhile (a cancel, a progress) is judged in its new state.
        with settled as (
            delete from running as r
            using jsonb_to_recordset(results) as i (
                task_id uuid, lease_id bigint, outcome text, result jsonb, error jsonb,
                retry boolean, delay_s float8, run_at timestamptz, reason text, progress jsonb, slow text
            )
            where r.task_id = any (ids) and (r.task_id, r.lease_id) = (i.task_id, i.lease_id)
            returning
                -- Columns to filter and look up by come first: reading a column costs as much as all before it.
                r.lease_id,
                case when r.cancel_requested then 'cancelled' else i.outcome end as outcome,
                case
                    when r.cancel_requested then true
                    when i.outcome in ('failed', 'timed_out') then i.retry is false or r.attempt >= r.budget
                    when i.outcome = 'crashed' then r.crashes + 1 >= 3
                    else i.outcome not in ('released', 'snoozed')
                end as final,
                r.task_id, r.user_id, r.worker_id, r.created_at, r.ready_at, r.started_at, r.attempt, r.queue, r.type,
                i.result, i.error, i.progress as last_progress, r.progress, r.priority, r.budget, r.crashes,
                i.delay_s, i.run_at, i.reason, r.limited, r.followed, r.limit_key, i.slow
        ),
        fact as (
            insert into attempt (
                task_id, lease_id, user_id, worker_id, started_at, finished_at, attempt, final, outcome, result, error, progress
            )
            select
                task_id, lease_id, user_id, worker_id, started_at, now, attempt, final, outcome,
                case when outcome = 'completed' then result end, error, coalesce(last_progress || jsonb_build_object('at', now), progress)
            from settled
        ),
        waiting as (
            insert into delayed (task_id, run_at, priority, attempt, budget, crashes, queue, type, status, reason)
            select
                task_id,
                case
                    when outcome = 'crashed' then now
                    else coalesce(run_at, now + interval '1 second' * coalesce(
                        delay_s, case when outcome in ('failed', 'timed_out') then retry_delay(task_id, type, queue, attempt) end, 0
                    ))
                end,
                priority, attempt - (outcome in ('snoozed', 'released'))::int,
                least(budget + (outcome = 'crashed')::int, 32767), crashes + (outcome = 'crashed')::int, queue, type,
                case when outcome = 'snoozed' then 'scheduled' when outcome in ('released', 'crashed') then 'queued' else 'retrying' end,
                reason
            from settled
            where not final
            returning ctid as at, status, run_at
        ),
        counted as (
            insert into rollup_flush (minute, created_minute, n, final, queue, type, outcome, waits, runs)
            select
                this_minute, date_bin('1 minute', created_at, 'epoch') as created_minute, count(*), final, queue, type, outcome,
                array_agg(bucket(started_at - ready_at)), array_agg(bucket(now - started_at))
            from settled
            group by created_minute, final, queue, type, outcome
        )
        select
            coalesce(array_agg(lease_id), '{}'),
            array_agg(task_id) filter (where outcome <> 'completed' and final and outcome <> 'cancelled'),
            array_agg(queue) filter (where limited), array_agg(limit_key) filter (where limited),
            jsonb_agg(jsonb_build_array(queue, limit_key, delay_s, slow, reason)) filter (where slow is not null),
            array_agg(task_id) filter (where followed and final), array_agg(outcome) filter (where followed and final),
            (select array_agg(w.at) from waiting as w where w.status = 'queued' and w.run_at <= now)
        into accepted, failed, freed_queues, freed_keys, slowed, more, more_outcomes, runnable
        from settled;
        if runnable is not null then
            perform make_ready(runnable);
        end if;
        if slowed is not null then
            perform slow_down(s ->> 0, case when s ->> 3 = 'key' then s ->> 1 end, (s ->> 2)::float8, s ->> 4)
            from jsonb_array_elements(slowed) as s
            where s ->> 3 = 'queue' or (s ->> 3 = 'key' and s ->> 1 is not null);
        end if;
        if freed_queues is not null then
            perform make_room(freed_queues, freed_keys);
        end if;
        if failed is not null then
            perform keep_dead_letters(failed);
        end if;
        ended := ended || more;
        outcomes := outcomes || more_outcomes;

        if cardinality(accepted) < cardinality(ids) then
            refused := array(
                select (r ->> 'lease_id')::bigint from jsonb_array_elements(results) as r
                except
                select unnest(accepted)
            );
        end if;
    end if;

    select
        exists (select from listener as l where l.channel = 'pgqueue_event' and l.expires_at > now),
        exists (select from webhook as w where w.disabled_at is null)
    into watched, has_webhooks;
    if has_webhooks then
        perform tell_of_tasks(task_ids || ids, plain || accepted);
    end if;
    if ended is not null then
        perform follow(ended, outcomes);
    end if;
end
$$;
