-- Makes waiting tasks runnable: moves their tokens, which the caller has locked, from delayed to ready. This is the
-- only way back into ready, so a task that becomes runnable again always gets the keys of its fact, as a new one
-- does.
-- A task that already has a seq keeps it. The others come behind those in the queue, earliest due first.
-- reason says in words why the tasks run; null keeps what their tokens say. Returns how many moved, and their queues
-- (null: none). Does not ring the doorbell: see ring().
create or replace function pgqueue_private.make_ready(tokens tid[], reason text default null, out moved int, out queues text[])
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    fair constant text[] := array(select q.name from queue as q where q.fairness is not null);
    keyed constant text[] := array(select k.queue from keyed_queue as k);
    -- Known before the join, so that only the partitions of these days are opened; null: no queue needs the facts.
    ids uuid[];
    lowest uuid;
    highest uuid;
begin
    if fair <> '{}' or keyed <> '{}' then
        ids := array(select d.task_id from delayed as d where d.ctid = any (tokens) order by d.task_id);
        lowest := ids[1];
        highest := ids[cardinality(ids)];
    end if;
    with taken as (
        delete from delayed as d where d.ctid = any (tokens) returning d.*
    ),
    runnable as (
        insert into ready (
            seq, task_id, ready_at, priority, attempt, budget, crashes, requeued, queue, type, reason, fairness_key, limit_key
        )
        select
            coalesce(k.seq, nextval('pgqueue_private.ready_seq')), k.task_id, least(k.run_at, now), k.priority, k.attempt, k.budget,
            k.crashes, true, k.queue, k.type, coalesce(make_ready.reason, k.reason),
            -- A subquery, not a join: a task of another queue needs nothing of its fact, and pays nothing.
            case when k.queue = any (fair) then (
                select coalesce(t.fairness_key, t.user_id::text) from task as t where t.id = k.task_id and t.id between lowest and highest
            ) end,
            case when k.queue = any (keyed) then (
                select t.limit_key from task as t where t.id = k.task_id and t.id between lowest and highest
            ) end
        from (select * from taken order by taken.run_at, taken.task_id) as k
        returning queue
    )
    select count(*), array_agg(distinct r.queue) into moved, queues from runnable as r;
end
$$;
