-- The slots of limits in use are the running tasks: each is counted, and a task that waits for a key waits for its
-- own. The totals of limits only grow.
create or replace function pgqueue_private.check_limits()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    with newest as (
        select distinct on (u.queue, u.limit_key) u.* from pgqueue_private.limit_use as u order by u.queue, u.limit_key, u.total desc
    ),
    held as (
        select r.lease_id, r.task_id, r.queue, '' as limit_key from pgqueue_private.running as r where r.limited
        union all
        select r.lease_id, r.task_id, r.queue, r.limit_key from pgqueue_private.running as r where r.limit_key is not null
        union all
        select r.lease_id, r.task_id, '', r.limit_key from pgqueue_private.running as r where r.limit_key is not null
    ),
    ledger as (
        select
            u.*, lag(u.total) over earlier as total_before, lag(u.at) over earlier as at_before
        from pgqueue_private.limit_use as u
        window earlier as (partition by u.queue, u.limit_key order by u.total)
    )
    select 'limits', n.queue || '/' || n.limit_key, 'does not count task ' || h.task_id || ', which runs under lease ' || h.lease_id
    from newest as n
    join held as h on h.queue = n.queue and h.limit_key = n.limit_key
    where h.lease_id <= n.newest and h.lease_id <> all (n.leases)
    union all
    select 'limits', l.queue || '/' || l.limit_key, 'counts a total of ' || l.total_before || ' and then ' || l.n || ' more, up to ' || l.total
    from ledger as l
    where l.n < 1 or l.total - l.n < l.total_before
    union all
    select 'limits', l.queue || '/' || l.limit_key, 'counts a start at ' || l.at || ' after one at ' || l.at_before || ', which is later'
    from ledger as l
    where l.at < l.at_before
    union all
    select 'limits', d.queue || '/' || d.limit_key, 'is waited for by task ' || d.task_id || ', which has another limit_key'
    from pgqueue_private.delayed as d
    join pgqueue_private.task as t on t.id = d.task_id
    where d.limit_key is not null and d.limit_key is distinct from t.limit_key
    union all
    select 'limits', d.queue || '/' || d.limit_key, 'is waited for in a queue that is not registered as having keys'
    from pgqueue_private.delayed as d
    left join pgqueue_private.keyed_queue as k on k.queue = d.queue
    where d.limit_key is not null and k.queue is null
    group by d.queue, d.limit_key
$$;
