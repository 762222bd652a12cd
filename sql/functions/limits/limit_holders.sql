-- The running tasks that hold slots of a limit, in the order they started, and the latest time at which each ends
-- (null: it has no time limit). Of a queue (limit_key ''), of a key in a queue, or of a limit by its name (queue '').
create or replace function pgqueue_private.limit_holders(queue text, limit_key text)
returns table (
    task_id uuid, type text, of_queue text, attempt smallint, worker_id bigint, cost int, started_at timestamptz, ends_by timestamptz
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- Two lookups, each with its own index.
    return query
    select
        r.task_id, r.type, r.queue, r.attempt, r.worker_id, coalesce(r.cost, 1)::int, r.started_at,
        coalesce(r.deadline_at, r.started_at + k.timeout_s * interval '1 second')
    from (
        select * from running as r
        where limit_holders.limit_key = '' and r.limited and r.queue = limit_holders.queue
        union all
        select * from running as r
        where limit_holders.limit_key <> '' and r.limit_key = limit_holders.limit_key and limit_holders.queue in ('', r.queue)
    ) as r
    left join task_type as k on k.name = r.type
    order by r.lease_id;
end
$$;
