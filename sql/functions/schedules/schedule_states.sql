-- The requested schedules as the JSON text that the HTTP API returns, in the order given; unknown ids have no row.
create or replace function pgqueue_private.schedule_states(ids uuid[])
returns table (id uuid, name text, version bigint, state text)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        s.id, s.name, s.version,
        json_build_object(
            'id', s.id,
            'name', s.name,
            'state', s.state,
            'cron', s.cron,
            'run_at', json_time(s.run_at),
            'timezone', s.timezone,
            'type', s.type,
            'payload', s.payload,
            'queue', s.queue,
            'priority', s.priority,
            'max_attempts', s.max_attempts,
            'timeout_s', s.timeout_s,
            'retry', s.retry,
            'expires_in_s', s.expires_in_s,
            'limit_key', s.limit_key,
            'cost', s.cost,
            'fairness_key', s.fairness_key,
            'enabled', s.enabled,
            'starts_at', json_time(s.starts_at),
            'ends_at', json_time(s.ends_at),
            'jitter_s', s.jitter_s,
            'missed', s.missed,
            'missed_max', s.missed_max,
            'overlap', s.overlap,
            'next_due_at', json_time(s.next_due_at),
            'last_due_at', json_time(s.last_due_at),
            'last_task_id', s.last_task_id,
            'run_count', s.run_count,
            'error', s.error,
            'backfill_from', json_time(s.backfill_from),
            'backfill_to', json_time(s.backfill_to),
            'declared_by', s.declared_by,
            'undeclared_at', json_time(s.undeclared_at),
            'version', s.version,
            'created_at', json_time(s.created_at)
        )::text
    from unnest(ids) with ordinality as asked (id, n)
    cross join lateral (select * from schedules as v where v.id = asked.id limit 1) as s
    order by asked.n;
end
$$;
