-- Leases up to max_tasks runnable tasks of these queues to a worker: first by priority, then in the order of the
-- queues given, then by seq. The rows come back in no order.
-- Takes only tasks of these types (null: of any): the others stay where they are, untouched.
-- cursors has a seq for each priority and queue (all queues of priority 0 first). Tokens at or below it are skipped,
-- so that dead tokens under a held snapshot cost nothing. Correctness never depends on cursors: null looks at every
-- token, and each worker does such a sweep from time to time.
-- resumes says that an earlier attempt left checkpoints. It costs nothing for a task that was never requeued.
-- expired: the task's time to start has passed, so it must be finished as cancelled, not run. run_at_s: its run_at,
-- in seconds of the epoch, such as the due time of its schedule; null for a task that was to run at once.
-- Skips queues that have limits, are fair or are paused. claim_limited() serves those: it calls this function with
-- limited = true and the tokens that it chose and has locked.
-- A draining worker gets none. Raises PQ001 when the worker is no longer active: its leases have gone to others.
create or replace function pgqueue_private.claim(
    worker bigint, queues text[], cursors bigint[], max_tasks int, types text[] default null,
    limited boolean default false, chosen tid[] default null
)
returns table (
    task_id uuid, lease_id bigint, attempt smallint, budget smallint, crashes smallint, priority smallint, seq bigint,
    queue text, type text, timeout_s real, wait_s float8, payload text, traceparent text, watched boolean,
    resumes boolean, expired boolean, run_at_s float8, batch_id uuid
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    width constant int := cardinality(queues);
    state text;
    picked tid[];
    ids uuid[];
    lowest uuid;
    highest uuid;
begin
    select w.state into state from worker as w where w.id = claim.worker and w.expires_at > now;
    if state = 'draining' then
        return;
    elsif state is distinct from 'active' then
        raise exception 'worker % is not active', claim.worker
            using errcode = 'PQ001', hint = 'its lease ran out and its tasks went to others: register it again';
    end if;

    if chosen is not null then
        select array_agg(r.ctid), array_agg(r.task_id order by r.task_id) into picked, ids from ready as r where r.ctid = any (chosen);
    else
        select array_agg(token.at), array_agg(token.task_id order by token.task_id) into picked, ids
        from (
            select found.at, found.task_id
            from generate_series(0, 11 * width - 1) as pair
            cross join lateral (
                select r.ctid as at, r.task_id
                from ready as r
                where r.queue = queues[pair % width + 1] and r.priority = pair / width
                    and r.seq > coalesce(cursors[pair + 1], 0) and (types is null or r.type = any (types))
                order by r.seq
                limit max_tasks
                for update skip locked
            ) as found
            -- Read in the same snapshot, so that a task is never seen without the limit that it was enqueued under.
            where limited or queues[pair % width + 1] <> all (array(
                select g.name from guarded_queues as g where g.name = any (queues)
            ))
            limit max_tasks
        ) as token;
    end if;
    if picked is null then
        return;
    end if;

    -- Bounds known before the join let the executor open only the one or two days that it needs.
    lowest := ids[1];
    highest := ids[cardinality(ids)];

    return query
    with taken as (
        delete from ready as r
        where r.ctid = any (picked)
        returning r.seq, r.task_id, r.ready_at, r.priority, r.attempt, r.budget, r.crashes, r.queue, r.requeued
    ),
    leased as materialized (
        select
            taken.*, t.type, t.user_id, t.timeout_s, t.created_at, t.payload::text as payload, t.traceparent, t.expires_at, t.run_at,
            t.limit_key, t.cost, t.batch_id,
            t.followed or t.batch_id is not null or t.callback_url is not null as followed,
            nextval('pgqueue_private.lease_seq') as lease_id
        from taken
        join task as t on t.id = taken.task_id
        where t.id = any (ids) and t.id >= lowest and t.id <= highest
    ),
    started as (
        insert into running (
            task_id, lease_id, worker_id, user_id, created_at, ready_at, started_at, deadline_at,
            attempt, budget, crashes, priority, limited, followed, queue, type, limit_key, cost, batch_id
        )
        select
            l.task_id, l.lease_id, claim.worker, l.user_id, l.created_at, l.ready_at, now,
            now + l.timeout_s * interval '1 second',
            l.attempt + 1, l.budget, l.crashes, l.priority, claim.limited, coalesce(l.followed, false), l.queue, l.type,
            l.limit_key, l.cost, l.batch_id
        from leased as l
    )
    select
        l.task_id, l.lease_id, (l.attempt + 1)::smallint, l.budget, l.crashes, l.priority, l.seq,
        l.queue, l.type, l.timeout_s, date_part('epoch', now - l.ready_at), l.payload, l.traceparent,
        (select exists (select from listener as s where s.channel = 'pgqueue_event' and s.expires_at > now)),
        l.requeued and has_checkpoints(l.task_id),
        l.attempt = 0 and l.expires_at is not null and l.expires_at <= now,
        date_part('epoch', l.run_at), l.batch_id
    from leased as l;
end
$$;
