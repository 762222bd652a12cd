-- Leases up to max_tasks runnable tasks to a worker, first by the order of the pairs given (queue and priority),
-- then by seq; the rows come back in no order. Each pair has its cursor: tokens at or below it are not looked at, so that dead tokens under a held
-- snapshot cost nothing; correctness never depends on it, since the worker sweeps from 0 every so often.
-- Raises PQ001 when the worker is no longer active: its leases have gone to others.
create or replace function pgqueue.claim(
    worker bigint, queues text[], priorities smallint[], cursors bigint[], max_tasks int
) returns table (
    task_id uuid, lease_id bigint, attempt smallint, budget smallint, priority smallint, seq bigint,
    queue text, type text, timeout_s real, wait_s float8, payload text, traceparent text, watched boolean
)
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
begin
    if not exists (select from worker as w where w.id = claim.worker and w.state = 'active' and w.expires_at > now) then
        raise exception 'worker % is not active', claim.worker
            using errcode = 'PQ001', hint = 'its lease ran out and its tasks went to others: register it again';
    end if;

    return query
    with picked as materialized (
        select token.at
        from unnest(queues, priorities, cursors) as pair (queue, priority, cursor)
        cross join lateral (
            select r.ctid as at
            from ready as r
            where r.queue = pair.queue and r.priority = pair.priority and r.seq > pair.cursor
            order by r.seq
            limit max_tasks
            for update skip locked
        ) as token
        limit max_tasks
    ),
    taken as (
        delete from ready as r
        where r.ctid = any (array(select at from picked))
        returning r.seq, r.task_id, r.ready_at, r.priority, r.attempt, r.budget, r.crashes, r.queue
    ),
    leased as materialized (
        select
            taken.*, t.type, t.user_id, t.timeout_s, t.created_at, t.payload::text as payload, t.traceparent,
            nextval('pgqueue.lease_seq') as lease_id
        from taken
        cross join lateral (
            select f.type, f.user_id, f.timeout_s, f.created_at, f.payload, f.traceparent
            from task as f where f.id = taken.task_id limit 1
        ) as t
    ),
    started as (
        insert into running (
            task_id, lease_id, worker_id, user_id, created_at, ready_at, started_at, deadline_at,
            attempt, budget, crashes, priority, queue, type
        )
        select
            l.task_id, l.lease_id, claim.worker, l.user_id, l.created_at, l.ready_at, now,
            now + l.timeout_s * interval '1 second',
            l.attempt + 1, l.budget, l.crashes, l.priority, l.queue, l.type
        from leased as l
    )
    select
        l.task_id, l.lease_id, (l.attempt + 1)::smallint, l.budget, l.priority, l.seq,
        l.queue, l.type, l.timeout_s, date_part('epoch', now - l.ready_at), l.payload, l.traceparent,
        (select exists (select from listener as s where s.channel = 'pgqueue_event' and s.expires_at > now))
    from leased as l;
end
$$;
