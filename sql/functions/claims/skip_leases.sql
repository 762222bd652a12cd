-- Skips the next million lease ids, durably. Claims commit without waiting for the disk or for a standby, so a crash
-- or a failover can lose the last of them, and with them the position of the sequence: ids that some workers still
-- hold would be issued again. A worker calls this on each new connection before it claims, and no connection survives
-- a crash or a failover.
create or replace function pgqueue_private.skip_leases() returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
begin
    -- One caller at a time: a second setval could go back behind ids that were issued after the first.
    perform pg_advisory_xact_lock(hashtextextended('pgqueue:skip_leases', 0));
    perform setval('pgqueue_private.lease_seq', nextval('pgqueue_private.lease_seq') + 1000000);
end
$$;
