-- Takes the tasks of workers that are gone: those named (their supervisor saw them die) and those whose lease ran out.
-- Each such attempt is recorded as crashed; the task is ready again at once, or failed after its third crash.
-- A heartbeat that comes first keeps its worker; one that comes later is told that the worker is lost.
create or replace function pgqueue_private.rescue(
    dead bigint[] default '{}', out rescued int, out queues text[], out task_ids uuid[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    max_crashes constant int := 3;
    failed uuid[];
    leases bigint[];                                -- of those that ended
    freed_queues text[];
    freed_keys text[];
    ended uuid[];                                   -- of those that are followed
    outcomes text[];
begin
    update worker as w set state = 'lost'
    where w.state in ('active', 'draining') and (w.id = any (dead) or w.expires_at < now);

    with lost as materialized (
        select r.task_id
        from running as r
        where not exists (
            select from worker as w where w.id = r.worker_id and w.state in ('active', 'draining')
        )
        limit 5000
        for update skip locked
    ),
    freed as (
        delete from running as r using lost where r.task_id = lost.task_id returning r.*
    ),
    settled as materialized (
        select
            f.*, f.cancel_requested or f.crashes + 1 >= max_crashes as final,
            case when f.cancel_requested then 'cancelled' else 'crashed' end as outcome
        from freed as f
    ),
    fact as (
        insert into attempt (
            task_id, lease_id, user_id, worker_id, started_at, finished_at, attempt, final, outcome, error, progress
        )
        select
            task_id, lease_id, user_id, worker_id, started_at, now, attempt, final, outcome,
            jsonb_build_object('type', 'Crashed', 'message', 'worker ' || worker_id || ' died or lost its lease'), progress
        from settled
    ),
    runnable as (
        insert into ready (task_id, ready_at, priority, attempt, budget, crashes, requeued, queue, reason, fairness_key)
        select
            task_id, now, priority, attempt, least(budget + 1, 32767), crashes + 1, true, queue,
            'worker ' || worker_id || ' died or lost its lease', fair_key(queue, task_id)
        from settled
        where not final
    ),
    counted as (
        insert into rollup_flush (minute, created_minute, n, final, queue, type, outcome, waits, runs)
        select
            date_bin('1 minute', now, 'epoch'), date_bin('1 minute', created_at, 'epoch') as created_minute, count(*),
            final, queue, type, outcome, array_agg(bucket(started_at - ready_at)), array_agg(bucket(now - started_at))
        from settled
        group by created_minute, final, queue, type, outcome
    )
    select
        count(*), coalesce(array_agg(distinct queue) filter (where not final), '{}'), coalesce(array_agg(task_id), '{}'),
        array_agg(task_id) filter (where final and outcome = 'crashed'), array_agg(lease_id) filter (where final),
        array_agg(queue) filter (where limited), array_agg(limit_key) filter (where limited),
        array_agg(task_id) filter (where followed and final), array_agg(outcome) filter (where followed and final)
    into rescued, queues, task_ids, failed, leases, freed_queues, freed_keys, ended, outcomes
    from settled;
    if freed_queues is not null then
        perform make_room(freed_queues, freed_keys);
    end if;
    if failed is not null then
        perform keep_dead_letters(failed);
    end if;
    if leases is not null and exists (select from webhook as w where w.disabled_at is null) then
        perform tell_of_tasks(task_ids, leases);
    end if;
    if ended is not null then
        perform follow(ended, outcomes);
    end if;
end
$$;
