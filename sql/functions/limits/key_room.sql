-- How many tasks with a limit_key may be made runnable in a queue when they are enqueued: none while others wait
-- before them; null: the key has no limit. This is a hint: the claim decides.
create or replace function pgqueue_private.key_room(queue text, limit_key text) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
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
