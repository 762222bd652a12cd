-- For tests: shifts the clock of the whole service by an interval, in this database, for everyone, until it is set
-- back to 0.
create or replace function pgqueue_private.shift_clock(offset_by interval) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
begin
    execute format(
        'create or replace function pgqueue.clock() returns timestamptz language sql volatile parallel safe as %L',
        format('select pg_catalog.clock_timestamp() + interval %L', offset_by)
    );
end
$$;

revoke all on function pgqueue_private.shift_clock(interval) from public;
