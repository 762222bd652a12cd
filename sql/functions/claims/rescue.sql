-- Takes back the tasks of workers that are gone: those named, which their supervisor saw die, and those whose lease
-- expired. finish() records each attempt as crashed, and makes the task ready again or, after its third crash, fails
-- it.
-- A heartbeat that commits first keeps its worker; one that commits later learns that the worker is lost.
create or replace function pgqueue_private.rescue(
    dead bigint[] default '{}', out rescued int, out queues text[], out task_ids uuid[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    results jsonb;
begin
    update worker as w set state = 'lost'
    where w.state in ('active', 'draining') and (w.id = any (dead) or w.expires_at < now);

    with lost as materialized (
        select r.task_id, r.lease_id, r.queue, 'worker ' || r.worker_id || ' died or lost its lease' as reason
        from running as r
        where not exists (
            select from worker as w where w.id = r.worker_id and w.state in ('active', 'draining')
        )
        limit 5000
        for update skip locked
    )
    select
        count(*), coalesce(array_agg(distinct queue), '{}'), coalesce(array_agg(task_id), '{}'),
        jsonb_agg(jsonb_build_object(
            'task_id', task_id, 'lease_id', lease_id, 'outcome', 'crashed', 'reason', reason,
            'error', jsonb_build_object('type', 'Crashed', 'message', reason)
        ))
    into rescued, queues, task_ids, results
    from lost;
    if rescued > 0 then
        perform finish(results);
    end if;
end
$$;
