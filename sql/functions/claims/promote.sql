-- Makes delayed tasks that are due runnable, oldest first, at most max_tasks of them. Any number of callers may do it
-- at once. Returns how many, their queues to ring (null: none), and the seconds until the next task is due (null:
-- none waits).
create or replace function pgqueue_private.promote(max_tasks int, out moved int, out queues text[], out next_due_s float8)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    due tid[];
begin
    due := array(
        select d.ctid from delayed as d where d.run_at <= now order by d.run_at limit max_tasks for update skip locked
    );
    if due = '{}' then
        moved := 0;
    else
        select m.moved, m.queues into moved, queues from make_ready(due) as m;
    end if;

    select extract(epoch from d.run_at - now) into next_due_s from delayed as d where d.run_at < 'infinity' order by d.run_at limit 1;
end
$$;
