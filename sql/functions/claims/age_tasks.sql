-- Raises the priority of waiting tasks in queues that set ageing_s: one step for each ageing_s that a task has
-- waited, counted from the priority that it was given. A raised task goes behind the tasks that already have that
-- priority.
-- Examines the head of each queue and priority, moves at most max_tasks, and returns how many it moved; null: no
-- queue sets ageing_s. Only one caller at a time does it.
create or replace function pgqueue_private.age_tasks(max_tasks int default 1000) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    moved int := 0;
    head record;
    n int;
begin
    if not exists (select from queue where ageing_s is not null) then
        return null;
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:age_tasks', 0)) then
        return 0;
    end if;

    for head in
        select q.name, q.ageing_s, p as priority
        from queue as q
        cross join generate_series(1, 10) as p
        where q.ageing_s is not null
        order by q.name, p
    loop
        exit when moved >= max_tasks;
        -- The order of seq is the order in which tasks came to this priority, so those that are due come first.
        with first as materialized (
            select r.ctid as at, r.task_id, r.ready_at
            from ready as r
            where r.queue = head.name and r.priority = head.priority
            order by r.seq
            limit max_tasks - moved
        ),
        due as materialized (
            select f.at, greatest(0, t.priority - floor(extract(epoch from now - f.ready_at) / head.ageing_s)) as priority
            from first as f
            cross join lateral (select k.priority from task as k where k.id = f.task_id limit 1) as t
        ),
        free as materialized (
            -- Lock only what will move: a claim skips locked tokens.
            select r.ctid as at
            from ready as r
            where r.ctid = any (array(select d.at from due as d where d.priority < head.priority))
            for update skip locked
        ),
        raised as materialized (
            -- The tokens get their new seq in this order.
            select r.ctid as at, d.priority, nextval('pgqueue_private.ready_seq') as seq
            from free as f
            cross join lateral (select k.ctid, k.* from ready as k where k.ctid = f.at) as r
            join due as d on d.at = r.ctid
            order by d.priority, r.seq
        )
        update ready as r set priority = m.priority, seq = m.seq, requeued = true
        from raised as m
        where r.ctid = any (array(select m.at from raised as m)) and r.ctid = m.at;
        get diagnostics n = row_count;
        moved := moved + n;
    end loop;
    return moved;
end
$$;
