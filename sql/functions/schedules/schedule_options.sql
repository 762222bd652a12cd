-- Returns the options that a schedule gives to its tasks, null where they are not given: every field of a task_input
-- but for those that a schedule has of its own, and those that would make its tasks the same or tie them to others.
create or replace function pgqueue_private.schedule_options(given jsonb) returns jsonb
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    select to_jsonb(jsonb_populate_record(null::task_input, given)) - '{
        type, payload, run_at, delay_s, expires_at, callback_url, batch_id, dedup_key, depends_on, traceparent
    }'::text[]
$$;
