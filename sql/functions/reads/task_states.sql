-- The state of each requested task, as the JSON text that the HTTP API returns; unknown ids have no row. It has every
-- column of the view but those that are for SQL alone.
-- It stays text all the way from here: no reader decodes a payload, so none can break one.
create or replace function pgqueue_private.task_states(ids uuid[])
returns table (id uuid, queue text, type text, status text, lease_id bigint, etag text, state text)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        t.id, t.queue, t.type, t.status, t.lease_id, task_etag(t.status, t.priority, t.run_at, t.attempt, t.lease_id),
        (to_jsonb(t) - '{user_id, lease_id, traceparent}'::text[] || jsonb_build_object(
            'progress', t.progress || jsonb_build_object('at', json_time((t.progress ->> 'at')::timestamptz)),
            'created_at', json_time(t.created_at),
            'run_at', json_time(t.run_at),
            'started_at', json_time(t.started_at),
            'finished_at', json_time(t.finished_at),
            'next_retry_at', json_time(t.next_retry_at),
            'expires_at', json_time(t.expires_at)
        ))::text
    from unnest(ids) with ordinality as asked (id, n)
    cross join lateral (
        select * from tasks as v where v.id = asked.id limit 1
    ) as t
    order by asked.n;
end
$$;
