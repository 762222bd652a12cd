-- Explains why a task does not start: a row for each reason. The one that lasts longest comes first, so the first
-- row's earliest_start_at is the task's: it does not start before then. It is null where time does not decide. code is for
-- programs, message for people, details depend on the code. A single row says that nothing holds the task back, that it
-- is running, or that it has ended; no row: there is no such task.
-- Costs the same at any backlog: the tasks before it are counted up to ten thousand.
create or replace function pgqueue.explain(id uuid)
returns table (code text, message text, earliest_start_at timestamptz, details jsonb)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    max_counted constant int := 10000;
    now constant timestamptz := pgqueue.clock();
    subject record;
    kept queue;
    token ready;
    later delayed;
    others bigint := 0;                             -- tasks before it in its queue
    exact boolean;
begin
    -- A task may move on between two looks. If so, look again.
    for look in 1..3 loop
        select
            v.status, v.status_reason, v.attempt, v.max_attempts, v.queue, v.type, v.started_at, v.finished_at, v.expires_at, v.priority,
            v.limit_key, coalesce(v.cost, 1)::int as cost, v.error, t.seq
        into subject
        from task as t
        cross join lateral (select * from tasks as v where v.id = t.id limit 1) as v
        where t.id = explain.id;
        if not found then
            return;
        end if;
        if subject.status not in ('queued', 'scheduled', 'retrying', 'blocked') then
            return query select * from explain_started(explain.id, subject.status);
            return;
        end if;
        select * into later from delayed as d where d.task_id = explain.id;
        exit when found;
        select * into token from ready as r
        where r.queue = subject.queue and r.priority = subject.priority and r.seq = subject.seq and r.task_id = explain.id;
        exit when found;
        select * into token from ready as r where r.task_id = explain.id and r.requeued;
        exit when found;
    end loop;
    select * into kept from queue as q where q.name = subject.queue;
    if token.task_id is not null then
        select o.others, o.exact into others, exact
        from explain_order(token.queue, token.type, token.priority, token.seq, token.fairness_key, max_counted) as o;
    end if;

    return query
    with reason as (
        select 1 as rank, d.* from explain_delay(later.task_id, subject.attempt, subject.max_attempts, subject.error) as d
        where later.task_id is not null
        union all
        select
            2, 'paused',
            format('Queue %s was paused by %s at %s%s.', kept.name, coalesce(kept.paused_by, 'someone'), say_time(kept.paused_at), ': ' || kept.paused_reason),
            null, jsonb_build_object('by', kept.paused_by, 'since', json_time(kept.paused_at), 'reason', kept.paused_reason)
        where kept.paused_at is not null
        union all
        select 3, w.code, w.message, null, w.details
        from explain_workers(subject.queue, subject.type, token.task_id is not null) as w
        union all
        select 4, l.*
        from explain_limit(
            'queue', 'queue ' || kept.name, kept.name, '', kept.concurrency, kept.rate, kept.slowed_until, kept.slowed_reason,
            others, subject.cost
        ) as l
        where token.task_id is not null and kept.name is not null
        union all
        select 5, l.*
        from key_limits(subject.queue, subject.limit_key) as k
        cross join lateral explain_limit(
            'key', 'limit_key ' || subject.limit_key, k.scope, subject.limit_key, k.concurrency, k.rate, k.slowed_until, k.slowed_reason,
            (
                select count(*) from (
                    select from delayed as d
                    where d.limit_key = later.limit_key and d.queue = later.queue and (d.priority, d.seq) < (later.priority, later.seq)
                    limit max_counted
                ) as earlier
            ), subject.cost
        ) as l
        where subject.limit_key is not null and (token.task_id is not null or later.limit_key is not null)
        union all
        select
            7, 'behind',
            format(
                '%s%s of queue %s %s before it%s.', case when not exact then 'At least ' end, case others when 1 then '1 task' else others || ' tasks' end,
                token.queue, case others when 1 then 'comes' else 'come' end, ', and other keys take turns with fairness_key ' || token.fairness_key
            ),
            now, jsonb_strip_nulls(jsonb_build_object('tasks', others, 'exact', exact, 'fairness_key', token.fairness_key))
        where others > 0
    ),
    last as (
        select max(r.earliest_start_at) as at from reason as r
    ),
    answer as (
        select * from reason
        union all
        select
            0, case when subject.expires_at <= now then 'expired' else 'expires_first' end,
            format(
                case
                    when subject.expires_at <= now then 'It should have started by %s; a supervisor is about to cancel it.'
                    else 'It must start by %s and cannot, so it will be cancelled then.'
                end,
                say_time(subject.expires_at)
            ),
            null, jsonb_build_object('expires_at', json_time(subject.expires_at))
        from last
        where subject.expires_at <= greatest(now, last.at) and subject.attempt = 0
        union all
        select
            8, case when idle_for > 10 then 'not_taken' else 'ready' end,
            case
                when idle_for > 10
                    then format('Nothing holds it back, but no worker has taken it for %s s although slots are free.', round(idle_for))
                else 'Nothing holds it back: the next claim takes it.'
            end,
            now, '{}'
        from (select extract(epoch from now - token.ready_at) as idle_for) as waited
        where not exists (select from reason)
    )
    select t.code, t.message, t.earliest_start_at, t.details
    from answer as t
    order by t.earliest_start_at desc nulls first, t.rank;
end
$$;

comment on function pgqueue.explain is
    'Returns why a task does not start, or that it is running or has ended: a row for each reason, the one that '
    'lasts longest first; no row: there is no such task.';
