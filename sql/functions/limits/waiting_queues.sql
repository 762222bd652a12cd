-- The queues in which tasks wait for this key: one index descent for each queue, however many tasks wait.
create or replace function pgqueue_private.waiting_queues(limit_key text) returns setof text
language sql stable
as $$
    with recursive held as (
        (select d.queue from pgqueue_private.delayed as d where d.limit_key = waiting_queues.limit_key order by d.queue limit 1)
        union all
        select next.queue
        from held
        cross join lateral (
            select d.queue from pgqueue_private.delayed as d
            where d.limit_key = waiting_queues.limit_key and d.queue > held.queue
            order by d.queue
            limit 1
        ) as next
    )
    select queue from held
$$;
