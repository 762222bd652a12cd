-- How many tasks with a limit_key may be made runnable in a queue when they are enqueued: none while others wait before them;
-- null: the key has no limit. A hint: what counts is what a claim finds.
create or replace function pgqueue_private.key_room(queue text, limit_key text) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
as $$
#variable_conflict use_column
declare
    held record;
begin
    select * into held from key_limits(queue, limit_key);
    if not found then
        return null;
    end if;
    if exists (select from delayed as d where d.limit_key = key_room.limit_key and d.queue = key_room.queue) then
        return 0;
    end if;
    return (limit_room(held.scope, limit_key, held.concurrency, held.rate, held.slowed_until)).n;
end
$$;
