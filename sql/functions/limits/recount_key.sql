-- Call this when the limit of a key was changed: counts all running tasks again, and looks again at those that wait.
create or replace function pgqueue_private.recount_key(limit_key text) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    waiting text[] := array(select w from waiting_queues(limit_key) as w);
begin
    update running as r set limited = true where r.limit_key = recount_key.limit_key and not r.limited;
    update limit_use as u set leases = null, newest = null
    where u.limit_key = recount_key.limit_key and (u.leases is not null or u.newest is not null);
    perform unblock(w, limit_key, false) from unnest(waiting) as w;
    perform ring(waiting);
end
$$;
