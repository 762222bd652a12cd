-- The depths of the queues that hold most, at most max_queues of them, as sampled last, and of all others together as
-- '(others)': what metrics show. Queues that have been empty for a minute are left out.
create or replace function pgqueue_private.sampled_queues(max_queues int default 200)
returns table (queue text, status text, n bigint, age_s float8)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    with fresh as materialized (
        select s.* from queue_sample as s where s.n > 0 or s.sampled_at > pgqueue.clock() - interval '1 minute'
    ),
    shown as (
        select f.queue from fresh as f group by f.queue order by sum(f.n) desc, f.queue limit max_queues
    )
    select coalesce(k.queue, '(others)'), f.status, sum(f.n)::bigint, extract(epoch from pgqueue.clock() - min(f.oldest_at))::float8
    from fresh as f
    left join shown as k on k.queue = f.queue
    group by k.queue, f.status
    order by 1, 2
$$;
