-- The queues that hold runnable tasks: one index descent for each queue, however long it is.
create or replace function pgqueue_private.runnable_queues() returns setof text
language sql stable
as $$
    with recursive held as (
        (select r.queue from pgqueue_private.ready as r order by r.queue limit 1)
        union all
        select next.queue
        from held
        cross join lateral (
            select r.queue from pgqueue_private.ready as r where r.queue > held.queue order by r.queue limit 1
        ) as next
    )
    select queue from held
$$;
