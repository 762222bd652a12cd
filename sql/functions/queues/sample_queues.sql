-- Samples the depth and the oldest age of every queue for dashboards and metrics. One caller at a time samples.
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

    insert into queue_sample as kept (queue, status, n, oldest_at, sampled_at)
    select queue, 'queued', count(*), min(ready_at), now from ready group by queue
    union all
    select queue, status, count(*), nullif(min(run_at), 'infinity'), now from delayed where status <> 'queued' group by queue, status
    union all
    select queue, 'active', count(*), min(started_at), now from running group by queue
    on conflict (queue, status) do update set
        n = excluded.n, oldest_at = excluded.oldest_at, sampled_at = excluded.sampled_at;

    update queue_sample set n = 0, oldest_at = null, sampled_at = now where sampled_at < now and n > 0;
    update queue_sample set sampled_at = now where sampled_at < now;

    insert into queue (name, created_at) select distinct queue, now from queue_sample on conflict do nothing;
end
$$;
