-- The limit that applies to tasks with a limit_key in a queue; no row: none does. The limit of that name (scope '',
-- across all queues) replaces what the queue allows each key (scope: the queue).
create or replace function pgqueue_private.key_limits(queue text, limit_key text)
returns table (scope text, concurrency int, rate jsonb, slowed_until timestamptz, slowed_reason text)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select '', l.concurrency, l.rate, l.slowed_until, l.slowed_reason
    from key_limit as l
    where l.name = key_limits.limit_key;
    if found then
        return;
    end if;

    select (q.per_key ->> 'concurrency')::int, q.per_key -> 'rate' into concurrency, rate
    from queue as q
    where q.name = key_limits.queue;
    select s.slowed_until, s.slowed_reason into slowed_until, slowed_reason
    from key_slowed as s
    where s.queue = key_limits.queue and s.limit_key = key_limits.limit_key;
    if concurrency is not null or rate is not null or slowed_until is not null then
        scope := queue;
        return next;
    end if;
end
$$;
