-- Call this when leases of limited tasks have ended: makes tasks that waited for their keys runnable, and rings for
-- workers, as there may be room. Each array has one element for each lease; limit_keys holds null for those without
-- one.
create or replace function pgqueue_private.make_room(queues text[], limit_keys text[]) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    freed record;
    other text;
begin
    for freed in
        select distinct f.queue, f.limit_key from unnest(queues, limit_keys) as f (queue, limit_key) where f.limit_key is not null
    loop
        perform unblock(freed.queue, freed.limit_key, false);
        if exists (select from key_limit as l where l.name = freed.limit_key) then
            for other in select w.queue from waiting_queues(freed.limit_key) as w (queue) where w.queue <> freed.queue loop
                if unblock(other, freed.limit_key, true) > 0 then
                    queues := queues || other;
                end if;
            end loop;
        end if;
    end loop;
    perform ring(queues);
end
$$;
