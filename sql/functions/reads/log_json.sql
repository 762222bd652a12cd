-- A log line as the JSON text that the HTTP API returns.
create or replace function pgqueue_private.log_json(
    task_id uuid, lease_id bigint, seq int, at timestamptz, level text, message text, data jsonb
) returns text
language sql stable parallel safe
as $$
    select json_build_object(
        'task_id', task_id, 'lease_id', lease_id, 'seq', seq, 'at', pgqueue_private.json_time(at),
        'level', level, 'message', message, 'data', data
    )::text
$$;
