-- Why one limit stops a task of this cost that has `others` tasks before it: a row for each part of the limit that
-- has no room for it. what: queue or key, the first part of the codes; named: what sentences call it. Part of explain().
create or replace function pgqueue_private.explain_limit(
    what text, named text, queue text, limit_key text, concurrency int, rate jsonb, slowed_until timestamptz, slowed_reason text,
    others bigint, cost int
)
returns table (code text, message text, earliest_start_at timestamptz, details jsonb)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if slowed_until > pgqueue.clock() then
        return query
        select
            what || '_slowed', format('%s is slowed until %s%s.', named, say_time(slowed_until), ': ' || slowed_reason), slowed_until,
            jsonb_build_object('until', json_time(slowed_until), 'reason', slowed_reason);
    end if;

    return query
    select
        what || '_' || s.kind,
        case s.kind
            when 'concurrency' then format(
                '%s of %s slots of %s are taken%s.', s.used, s.allowed, named,
                '; one is free at ' || say_time(s.next_free_at) || ' at the latest'
            )
            else format(
                '%s of the %s starts that %s allows in %s s are used up; it may start at %s at the earliest.', s.used, s.allowed, named,
                s.per_seconds, say_time(s.next_free_at)
            )
        end,
        case s.kind when 'rate' then s.next_free_at end,
        jsonb_strip_nulls(jsonb_build_object(
            'limit', s.allowed, 'used', s.used, 'cost', explain_limit.cost, 'per_seconds', s.per_seconds, 'smooth', s.smooth
        ))
        || jsonb_build_object('next_free_at', json_time(s.next_free_at))
        || case s.kind when 'concurrency' then jsonb_build_object('holders', (
            select jsonb_agg(jsonb_build_object(
                'task_id', h.task_id, 'type', h.type, 'queue', h.of_queue, 'attempt', h.attempt, 'cost', h.cost,
                'worker', w.host || ':' || w.pid, 'started_at', json_time(h.started_at), 'ends_by', json_time(h.ends_by)
            ))
            from (select * from limit_holders(explain_limit.queue, explain_limit.limit_key) limit 10) as h
            left join worker as w on w.id = h.worker_id
        )) else '{}' end
    from limit_state(
        explain_limit.queue, explain_limit.limit_key, explain_limit.concurrency, explain_limit.rate, others, explain_limit.cost
    ) as s
    where case s.kind
        when 'rate' then s.next_free_at is not null
        else s.used > 0 and s.used + least(explain_limit.cost, s.allowed) > s.allowed
    end;
end
$$;
