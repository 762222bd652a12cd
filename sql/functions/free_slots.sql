-- Gives back the slots of leases that ended, each once, and rings for their queues: there may be room for others.
create or replace function pgqueue.free_slots(queues text[], lease_ids bigint[]) returns void
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
set enable_seqscan = off
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
as $$
#variable_conflict use_column
begin
    delete from slot as s where s.queue = any (queues) and s.lease_id = any (lease_ids);
    perform ring(queues);
end
$$;
