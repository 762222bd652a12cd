-- Looks at every key that tasks wait for, and makes those runnable that have room. This is the safety net under
-- unblock(), which is called where room appears and may miss a task that began to wait in the same moment. Only one
-- caller at a time does it. Returns how many, and the queues to ring.
create or replace function pgqueue_private.unblock_waiting(out moved int, out queues text[])
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    last_key text := '';
    last_queue text := '';
    n int;
begin
    moved := 0;
    queues := '{}';
    if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:unblock_waiting', 0)) then
        return;
    end if;
    loop
        select d.limit_key, d.queue into last_key, last_queue
        from delayed as d
        where d.limit_key is not null and (d.limit_key, d.queue) > (last_key, last_queue)
        order by d.limit_key, d.queue
        limit 1;
        exit when not found;
        n := unblock(last_queue, last_key, true);
        if n > 0 then
            moved := moved + n;
            queues := queues || last_queue;
        end if;
    end loop;
end
$$;
