-- The queues that hold runnable tasks, with the priorities of these, in order: queues after one (null: from the
-- first), at most max_lanes pairs. queues: look at these only (null: at all). One index descent for each pair, however
-- many tasks it has.
create or replace function pgqueue_private.runnable_lanes(queues text[], after text, max_lanes int)
returns table (queue text, priority smallint)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if queues is not null then
        return query
        select lane.queue, lane.priority
        from unnest(queues) as named (queue)
        cross join generate_series(0, 10) as level
        cross join lateral (
            select r.queue, r.priority from ready as r where r.queue = named.queue and r.priority = level limit 1
        ) as lane
        where named.queue > coalesce(after, '')
        limit max_lanes;
        return;
    end if;
    return query
    with recursive held as (
        (
            select r.queue, r.priority from ready as r
            where r.queue > coalesce(after, '')
            order by r.queue, r.priority
            limit 1
        )
        union all
        select next.queue, next.priority
        from held
        cross join lateral (
            select r.queue, r.priority from ready as r
            where (r.queue, r.priority) > (held.queue, held.priority)
            order by r.queue, r.priority
            limit 1
        ) as next
    )
    select h.queue, h.priority from held as h limit max_lanes;
end
$$;
