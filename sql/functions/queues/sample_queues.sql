-- Samples the depth and the oldest age of every queue, and what no live worker takes, for dashboards and metrics. One
-- caller at a time samples. A queue that holds nothing costs nothing.
create or replace function pgqueue_private.sample_queues() returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:sample_queues', 0)) then
        return;
    end if;

    with runnable as materialized (
        select queue, type, count(*) as n, min(ready_at) as oldest_at from ready group by queue, type
    ),
    orphan as (
        insert into unhandled as kept (queue, type, n, oldest_at)
        select r.queue, r.type, r.n, r.oldest_at
        from runnable as r
        where not exists (
            select from worker as w
            where w.state = 'active' and w.expires_at > now and (w.queues = '{}' or r.queue = any (w.queues)) and r.type = any (w.types)
        )
        on conflict (queue, type) do update set n = excluded.n, oldest_at = excluded.oldest_at
        returning queue, type
    ),
    handled as (
        delete from unhandled as u where not exists (select from orphan as o where (o.queue, o.type) = (u.queue, u.type))
    )
    insert into queue_sample as kept (queue, status, n, oldest_at, sampled_at)
    select queue, 'queued', sum(n), min(oldest_at), now from runnable group by queue
    union all
    select queue, status, count(*), nullif(min(run_at), 'infinity'), now from delayed where status <> 'queued' group by queue, status
    union all
    select queue, 'active', count(*), min(started_at), now from running group by queue
    on conflict (queue, status) do update set
        n = excluded.n, oldest_at = excluded.oldest_at, sampled_at = excluded.sampled_at;

    update queue_sample set n = 0, oldest_at = null, sampled_at = now where n > 0 and sampled_at < now;
    delete from queue_sample where sampled_at < now - interval '1 day';
    insert into queue (name, created_at) select distinct queue, now from queue_sample where n > 0 on conflict do nothing;
    update sampling set sampled_at = now;
    if not found then
        insert into sampling (sampled_at) values (now);
    end if;
end
$$;
