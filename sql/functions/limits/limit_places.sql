-- The leases that hold slots of a limit now, and the cost of each: those of `leases` that still run, and all above
-- newest (null: all). Part of limit_room(), whose planner settings hold here, too.
create or replace function pgqueue_private.limit_places(queue text, limit_key text, leases bigint[], newest bigint)
returns table (lease_id bigint, cost int)
language plpgsql
as $$
#variable_conflict use_column
begin
    if limit_key = '' then
        return query
        select r.lease_id, coalesce(r.cost, 1)::int from running as r
        where r.limited and r.queue = limit_places.queue and r.lease_id = any (leases)
        union all
        select r.lease_id, coalesce(r.cost, 1)::int from running as r
        where r.limited and r.queue = limit_places.queue and r.lease_id > coalesce(newest, 0);
    else
        return query
        select r.lease_id, coalesce(r.cost, 1)::int from running as r
        where r.limit_key = limit_places.limit_key and r.lease_id = any (leases) and limit_places.queue in ('', r.queue)
        union all
        select r.lease_id, coalesce(r.cost, 1)::int from running as r
        where r.limit_key = limit_places.limit_key and r.lease_id > coalesce(newest, 0) and limit_places.queue in ('', r.queue);
    end if;
end
$$;
