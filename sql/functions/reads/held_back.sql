-- What holds tasks back: the first task of each queue and priority, of each limit_key, and of those that are due or wait
-- for other tasks, if it has waited for longer than patience, with the first reason that explain() gives. Longest first,
-- at most max_tasks. Looks at the first 200 queues and priorities that hold tasks, and 20 keys.
create or replace function pgqueue_private.held_back(patience interval default '10 seconds', max_tasks int default 20)
returns table (queue text, type text, task_id uuid, waits_s float8, code text, message text)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
begin
    return query
    with recursive held_key as (
        (
            select d.limit_key, d.queue, 1 as n from delayed as d
            where d.limit_key is not null
            order by d.limit_key, d.queue
            limit 1
        )
        union all
        select next.limit_key, next.queue, h.n + 1
        from held_key as h
        cross join lateral (
            select d.limit_key, d.queue from delayed as d
            where d.limit_key is not null and (d.limit_key, d.queue) > (h.limit_key, h.queue)
            order by d.limit_key, d.queue
            limit 1
        ) as next
        where h.n < 20
    ),
    head as (
        select first.*
        from runnable_lanes(null, null, 200) as lane
        cross join lateral (
            select r.queue, r.type, r.task_id, r.ready_at as since from ready as r
            where r.queue = lane.queue and r.priority = lane.priority
            order by r.seq
            limit 1
        ) as first
        union all
        select first.*
        from held_key as h
        cross join lateral (
            select d.queue, d.type, d.task_id, id_time(d.task_id) from delayed as d
            where d.limit_key = h.limit_key and d.queue = h.queue
            order by d.priority, d.seq
            limit 1
        ) as first
        union all
        (
            select d.queue, d.type, d.task_id, d.run_at from delayed as d
            where d.run_at <= now and d.limit_key is null
            order by d.run_at
            limit 1
        )
        union all
        select d.queue, d.type, d.task_id, id_time(d.task_id)
        from (select b.child_id from blocker as b order by b.parent_id, b.child_id limit 1) as b
        join delayed as d on d.task_id = b.child_id
    )
    select h.queue, h.type, h.task_id, extract(epoch from now - h.since)::float8, why.code, why.message
    from (select * from head where head.since < now - patience order by head.since limit max_tasks) as h
    cross join lateral (select e.code, e.message from explain(h.task_id) as e limit 1) as why
    where why.code not in ('active', 'completed', 'failed', 'cancelled')
    order by h.since;
end
$$;
