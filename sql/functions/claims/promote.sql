-- Makes delayed tasks that are due runnable, oldest first, at most max_tasks of them, any number of callers at once.
-- Returns how many, their queues to ring, and the seconds until the next is due (null: none waits).
create or replace function pgqueue_private.promote(max_tasks int, out moved int, out queues text[], out next_due_s float8)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off  -- analysed while empty, the backlog was read and sorted whole for each batch
set enable_sort = off
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
begin
    with due as materialized (
        select d.ctid as at from delayed as d where d.run_at <= now order by d.run_at limit max_tasks for update skip locked
    ),
    taken as (
        delete from delayed as d where d.ctid = any (array(select at from due)) returning d.*
    ),
    runnable as (
        insert into ready (seq, task_id, ready_at, priority, attempt, budget, crashes, requeued, queue, reason, fairness_key, limit_key)
        select
            coalesce(seq, nextval('pgqueue_private.ready_seq')), task_id, run_at, priority, attempt, budget, crashes, true, queue, reason,
            case when queue = any (array(select q.name from queue as q where q.fairness is not null)) then fair_key(queue, task_id) end,
            limit_key
        from taken
        order by run_at
    )
    select count(*), array_agg(distinct queue) into moved, queues from taken;

    select extract(epoch from d.run_at - now) into next_due_s from delayed as d where d.run_at < 'infinity' order by d.run_at limit 1;
end
$$;
