-- Creates the day partitions of all facts from the given day on, and returns how many were missing. Safe to call from
-- anywhere at any time: callers take turns, and existing partitions are left alone.
create or replace function pgqueue.ensure_partitions(from_day date, days int) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    made int := 0;
    day date;
    fact text;
    name text;
begin
    perform pg_advisory_xact_lock(hashtextextended('pgqueue:partitions', 0));
    for day in select from_day + n from generate_series(0, days - 1) as n loop
        foreach fact in array array(select f.name from facts() as f) loop
            name := fact || to_char(day, '_YYYYMMDD');
            -- Not to_regclass: a session that waited for the lock may still remember that there was none.
            continue when exists (
                select from pg_class as c where c.relnamespace = 'pgqueue_private'::regnamespace and c.relname = name
            );
            -- Attached, not created in place: this takes no lock that readers or writers of the other partitions wait
            -- for.
            execute format('create table pgqueue_private.%I (like pgqueue_private.%I including defaults including constraints including storage)', name, fact);
            execute format(
                'alter table pgqueue_private.%I attach partition pgqueue_private.%I for values from (%L) to (%L)',
                fact, name,
                first_id_at(day::timestamp at time zone 'utc'),
                first_id_at((day + 1)::timestamp at time zone 'utc')
            );
            made := made + 1;
        end loop;
    end loop;
    return made;
end
$$;

comment on function pgqueue.ensure_partitions is
    'Creates the missing partitions of so many days from the given one on and returns how many it created.';
