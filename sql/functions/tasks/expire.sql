-- Cancels tasks whose time to start has passed, longest overdue first, at most max_tasks of them. Any number of
-- callers may do it at once. A claim never runs an expired task either, so none starts late even where nobody calls
-- this in time. Returns how many it looked at.
create or replace function pgqueue_private.expire(max_tasks int) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    due uuid[];
begin
    with taken as materialized (
        select e.expires_at, e.task_id
        from expiry as e
        where e.expires_at <= now
        order by e.expires_at, e.task_id
        limit max_tasks
        for update skip locked
    ),
    gone as (
        delete from expiry as e using taken where (e.expires_at, e.task_id) = (taken.expires_at, taken.task_id)
    )
    select array_agg(task_id) into due from taken;

    perform cancel(id, 'expired before it started', unstarted => true) from unnest(due) as id;
    return coalesce(cardinality(due), 0);
end
$$;
