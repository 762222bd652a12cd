-- The requested dead letters as the JSON text that the HTTP API returns, in the order requested; unknown ids have no
-- row.
create or replace function pgqueue_private.dead_letter_states(ids uuid[])
returns table (id uuid, failed_at timestamptz, state text)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        l.id, l.failed_at,
        json_build_object(
            'id', l.id,
            'type', l.type,
            'queue', l.queue,
            'outcome', l.outcome,
            'error', l.error,
            'fingerprint', l.fingerprint,
            'payload', l.payload,
            'priority', l.priority,
            'attempt', l.attempt,
            'max_attempts', l.max_attempts,
            'crash_count', l.crash_count,
            'timeout_s', l.timeout_s,
            'retry', l.retry,
            'created_at', json_time(l.created_at),
            'failed_at', json_time(l.failed_at)
        )::text
    from unnest(ids) with ordinality as asked (id, n)
    cross join lateral (
        select * from dead_letters as v where v.id = asked.id limit 1
    ) as l
    order by asked.n;
end
$$;
