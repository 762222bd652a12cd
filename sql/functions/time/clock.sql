-- The only clock of the service: no process's own clock decides anything.
-- Inlined into its callers, so it costs what clock_timestamp() costs.
create or replace function pgqueue.clock() returns timestamptz
language sql volatile parallel safe
as $$ select pg_catalog.clock_timestamp() $$;

comment on function pgqueue.clock is 'Returns the time that decides leases, due times and orders.';
