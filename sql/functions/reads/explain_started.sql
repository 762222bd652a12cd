-- Says that a task runs, or how it ended. Part of explain().
create or replace function pgqueue_private.explain_started(id uuid, status text)
returns table (code text, message text, earliest_start_at timestamptz, details jsonb)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if status = 'active' then
        return query
        select
            'active',
            format(
                'It has been running on %s since %s, attempt %s of %s%s.', coalesce(w.host || ':' || w.pid, 'a worker that is gone'), say_time(r.started_at),
                r.attempt, r.budget, case when r.cancel_requested then '; it was asked to stop' end
            ),
            null::timestamptz,
            jsonb_build_object(
                'worker', w.host || ':' || w.pid, 'started_at', json_time(r.started_at), 'attempt', r.attempt,
                'deadline_at', json_time(r.deadline_at), 'cancel_requested', r.cancel_requested
            )
        from running as r
        left join worker as w on w.id = r.worker_id
        where r.task_id = explain_started.id;
        return;
    end if;
    return query
    select
        explain_started.status,
        format(
            'It %s at %s%s%s.', case explain_started.status when 'cancelled' then 'was cancelled' else explain_started.status end, say_time(a.finished_at),
            case when a.attempt > 0 then format(', in attempt %s', a.attempt) end,
            case when a.outcome <> 'completed' then ': ' || coalesce(a.error ->> 'message', a.outcome) end
        ),
        null::timestamptz,
        jsonb_build_object('finished_at', json_time(a.finished_at), 'attempt', a.attempt, 'outcome', a.outcome, 'error', a.error)
    from attempt as a
    where a.task_id = explain_started.id
    order by a.lease_id desc
    limit 1;
end
$$;
