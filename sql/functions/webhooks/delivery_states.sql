-- The requested deliveries as the JSON text that the HTTP API returns, in the order requested; unknown ids have no
-- row.
create or replace function pgqueue_private.delivery_states(ids uuid[])
returns table (id uuid, webhook_id uuid, status text, state text)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        d.id, d.webhook_id, d.status,
        json_build_object(
            'id', d.id,
            'webhook_id', d.webhook_id,
            'event', d.event,
            'subject_id', d.subject_id,
            'url', d.url,
            'status', d.status,
            'attempts', d.attempts,
            'response_status', d.response_status,
            'duration_s', d.duration_s,
            'response', d.response,
            'error', d.error,
            'tried_at', json_time(d.tried_at),
            'next_attempt_at', json_time(d.next_attempt_at),
            'tries', d.tries,
            'body', d.body,
            'created_at', json_time(d.created_at),
            'ended_at', json_time(d.ended_at),
            'task_id', d.task_id
        )::text
    from unnest(ids) with ordinality as asked (id, n)
    cross join lateral (
        select * from webhook_deliveries as v where v.id = asked.id limit 1
    ) as d
    order by asked.n;
end
$$;
