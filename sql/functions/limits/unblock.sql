-- Makes tasks of a queue that wait for their key runnable, in the order of priority and seq, as many as the key has
-- room for, and returns how many. Where only time makes room, the first of them becomes due then, and the others wait
-- for it. The claim that takes a task decides whether it may start; if not, the task waits again.
-- sparing: does nothing while other tasks of the key are runnable in this queue.
create or replace function pgqueue_private.unblock(queue text, limit_key text, sparing boolean) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    head record;
    held record;
    room record;
    max_tasks int := 1000;                          -- for a key whose limit is gone
    too_much boolean;
begin
    select h.task_id, (select coalesce(t.cost, 1) from task as t where t.id = h.task_id) as cost into head
    from (
        select d.task_id from delayed as d
        where d.limit_key = unblock.limit_key and d.queue = unblock.queue
        order by d.priority, d.seq
        limit 1
    ) as h;
    if not found then
        return 0;
    end if;

    select * into held from key_limits(queue, limit_key);
    if found then
        select * into room
        from limit_room(held.scope, limit_key, held.concurrency, held.rate, held.slowed_until, head.cost);
        too_much := head.cost > greatest(room.n, room.first);
        if too_much and room.again_s is not null then
            -- Skip locked rows: waiting here could deadlock with a caller that holds another key.
            update delayed as d set run_at = now + room.again_s * interval '1 second'
            where d.ctid = any (array(
                select f.ctid from delayed as f
                where f.task_id = head.task_id and f.run_at > now + room.again_s * interval '1 second'
                for update skip locked
            ));
        end if;
        if
            too_much
            or sparing and exists (select from ready as r where r.queue = unblock.queue and r.limit_key = unblock.limit_key)
        then
            return 0;
        end if;
        max_tasks := greatest(least(max_tasks, room.n), 1);
    end if;

    return (
        select m.moved
        from make_ready(array(
            select d.ctid
            from delayed as d
            where d.limit_key = unblock.limit_key and d.queue = unblock.queue
            order by d.priority, d.seq
            limit max_tasks
            for update skip locked
        )) as m
    );
end
$$;
