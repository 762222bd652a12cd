-- A time as JSON carries it: RFC 3339 in UTC, to the microsecond; null where PostgreSQL's time is infinite.
create or replace function pgqueue_private.json_time(at timestamptz) returns text
language sql stable parallel safe
as $$
    select case when isfinite(at) then to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') end
$$;
