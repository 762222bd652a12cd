-- A time as messages show it: in UTC, to the second.
create or replace function pgqueue_private.say_time(at timestamptz) returns text
language sql immutable parallel safe
as $$ select to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;
