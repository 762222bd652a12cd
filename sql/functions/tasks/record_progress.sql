-- Records the latest progress of running attempts, each only by the holder of its lease. Each element: task_id,
-- lease_id, percent, message. Returns the leases that no longer hold, and whether anyone is watching.
create or replace function pgqueue_private.record_progress(updates jsonb, out refused bigint[], out watched boolean)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
begin
    with input as materialized (
        select * from jsonb_to_recordset(updates) as i (task_id uuid, lease_id bigint, percent float8, message text)
    ),
    moved as (
        update running as r
        set progress = jsonb_build_object('percent', i.percent, 'message', i.message, 'at', now)
        from input as i
        where r.task_id = i.task_id and r.lease_id = i.lease_id
        returning r.lease_id
    )
    select coalesce(array_agg(i.lease_id), '{}') into refused
    from input as i
    where i.lease_id not in (select lease_id from moved);

    watched := exists (select from listener where channel = 'pgqueue_event' and expires_at > now);
end
$$;
