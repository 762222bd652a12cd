-- The state of each requested task, as the JSON text that the HTTP API returns; unknown ids have no row.
-- It stays text all the way: a payload is never decoded here, so none can break a reader.
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
        json_build_object(
            'id', t.id,
            'type', t.type,
            'queue', t.queue,
            'status', t.status,
            'status_reason', t.status_reason,
            'priority', t.priority,
            'payload', t.payload,
            'result', t.result,
            'error', t.error,
            'attempt', t.attempt,
            'max_attempts', t.max_attempts,
            'progress', case when t.progress is not null then json_build_object(
                'percent', t.progress -> 'percent',
                'message', t.progress -> 'message',
                'at', json_time((t.progress ->> 'at')::timestamptz)
            ) end,
            'created_at', json_time(t.created_at),
            'run_at', json_time(t.run_at),
            'started_at', json_time(t.started_at),
            'finished_at', json_time(t.finished_at),
            'next_retry_at', json_time(t.next_retry_at),
            'crash_count', t.crash_count,
            'retry', t.retry,
            'timeout_s', t.timeout_s,
            'dedup_key', t.dedup_key,
            'batch_id', t.batch_id,
            'expires_at', json_time(t.expires_at),
            'fairness_key', t.fairness_key,
            'limit_key', t.limit_key,
            'cost', t.cost,
            'callback_url', t.callback_url
        )::text
    from unnest(ids) with ordinality as asked (id, n)
    cross join lateral (
        select * from tasks as v where v.id = asked.id limit 1
    ) as t
    order by asked.n;
end
$$;
