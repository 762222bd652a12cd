-- The body of an event: {"type", "timestamp", "data"}, as Standard Webhooks defines it.
create or replace function pgqueue_private.webhook_body(event text, at timestamptz, data json) returns text
language sql stable parallel safe
as $$
    select json_build_object('type', event, 'timestamp', pgqueue_private.json_time(at), 'data', data)::text
$$;
