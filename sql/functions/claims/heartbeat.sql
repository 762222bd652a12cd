-- Renews the leases of a supervisor's workers. Returns the workers that are still active, and their tasks whose
-- cancellation was requested. A worker that is not returned has lost its leases for good.
create or replace function pgqueue_private.heartbeat(workers bigint[], lease_s float8, out active bigint[], out cancels jsonb)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
begin
    with renewed as (
        update worker as w set heartbeat_at = now, expires_at = now + lease_s * interval '1 second'
        where w.id = any (workers) and w.state in ('active', 'draining')
        returning w.id
    )
    select coalesce(array_agg(id), '{}') into active from renewed;

    select coalesce(jsonb_agg(jsonb_build_object(
        'worker_id', r.worker_id, 'task_id', r.task_id, 'lease_id', r.lease_id
    )), '[]')
    into cancels
    from running as r
    where r.worker_id = any (workers) and r.cancel_requested;
end
$$;
