-- True when nothing of these types (null: of any) is runnable, running or due in these queues (null: in any queue, and
-- no webhook is waiting to be sent).
-- Ignores tasks that are delayed into the future, and tasks that wait for those. Counts what maintenance still has to
-- do for batches and for dependent tasks.
create or replace function pgqueue_private.queues_empty(
    queues text[] default null, webhooks boolean default true, types text[] default null
) returns boolean
language sql stable
as $$
    with place as not materialized (
        select r.queue, r.type from pgqueue_private.ready as r
        union all
        select r.queue, r.type from pgqueue_private.running as r
        union all
        select d.queue, d.type from pgqueue_private.delayed as d where d.run_at <= pgqueue.clock()
    )
    select not exists (
        select from place as p
        where (queues is null or p.queue = any (queues)) and (webhooks or p.queue <> 'pgqueue.webhooks')
            and (types is null or p.type = any (types) or p.queue = 'pgqueue.webhooks')
    )
        and not exists (select from pgqueue_private.follow_later)
        and not exists (select from pgqueue_private.batch_delta)
$$;
