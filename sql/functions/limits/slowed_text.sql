-- Says in plain words that something is slowed and until when; null when it is not, or no longer.
create or replace function pgqueue_private.slowed_text(what text, slowed_until timestamptz, reason text) returns text
language sql stable
as $$
    select what || ' is slowed until ' || to_char(slowed_until at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') || coalesce(': ' || reason, '')
    where slowed_until > pgqueue.clock()
$$;
