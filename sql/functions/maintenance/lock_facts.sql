-- Locks all facts and the partitions of one day against everyone, readers too, or none of them, and returns which.
-- Others wait behind this for at most 25 ms: it waits no longer than that itself, for all locks together.
create or replace function pgqueue_private.lock_facts(day date) returns boolean
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    deadline constant timestamptz := clock_timestamp() + interval '25 milliseconds';
    fact text;
begin
    foreach fact in array array(select f.name from facts() as f) loop
        perform set_config(
            'lock_timeout', greatest(1, ceil(extract(epoch from deadline - clock_timestamp()) * 1000))::int::text, true
        );
        execute format('lock table only pgqueue_private.%I in access exclusive mode', fact);
        execute format('lock table pgqueue_private.%I in access exclusive mode', fact || to_char(day, '_YYYYMMDD'));
    end loop;
    perform set_config('lock_timeout', '100', true);
    return true;
exception
    when lock_not_available then
        return false;  -- leaving the block releases the locks that it had taken
end
$$;
