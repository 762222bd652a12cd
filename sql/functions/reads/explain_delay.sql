-- What a task in delayed waits for: a time, or other tasks. For one that waits for its limit_key, the limit is the
-- explanation. Part of explain().
create or replace function pgqueue_private.explain_delay(id uuid, attempt smallint, max_attempts smallint, error jsonb)
returns table (code text, message text, earliest_start_at timestamptz, details jsonb)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    token delayed;
    why text;
begin
    select * into token from delayed as d where d.task_id = explain_delay.id;
    if not found or token.limit_key is not null then
        return;
    end if;
    if token.status = 'blocked' then
        return query
        select
            'dependency',
            format('It waits for %s of %s tasks: %s%s.', open.n, wanted.n, shown.names, case when open.n > shown.n then ', …' end), null::timestamptz,
            jsonb_build_object('open', open.n, 'of', wanted.n, 'tasks', shown.tasks)
        from (select count(*) as n from blocker as b where b.child_id = token.task_id) as open
        cross join (select count(*) as n from dependency as d where d.child_id = token.task_id) as wanted
        cross join (
            select
                count(*) as n, string_agg(format('%s %s is %s', p.type, p.id, p.status), ', ' order by p.id) as names,
                jsonb_agg(jsonb_build_object(
                    'id', p.id, 'type', p.type, 'queue', p.queue, 'status', p.status, 'status_reason', p.status_reason,
                    'on_failure', p.on_failure
                ) order by p.id) as tasks
            from (
                select v.id, v.type, v.queue, v.status, v.status_reason, b.on_failure
                from (select * from blocker as b where b.child_id = token.task_id order by b.parent_id limit 20) as b
                cross join lateral (select * from tasks as v where v.id = b.parent_id limit 1) as v
            ) as p
        ) as shown;
        return;
    end if;

    code := case
        when token.status = 'retrying' then 'backoff'
        when token.status = 'queued' then 'released'
        when token.attempt > 0 or token.reason is not null then 'snoozed'
        else 'scheduled'
    end;
    why := coalesce(token.reason, error ->> 'message');
    earliest_start_at := greatest(token.run_at, now);
    message := format(
        case code
            when 'backoff' then 'Attempt %1$s of %2$s failed%3$s; the next may start at %4$s.'
            when 'released' then 'It was released until %4$s%3$s.'
            when 'snoozed' then 'Its handler snoozed it until %4$s%3$s.'
            else 'It is scheduled for %4$s.'
        end,
        attempt, max_attempts, ': ' || why, say_time(token.run_at)
    );
    details := jsonb_build_object('run_at', json_time(token.run_at), 'attempt', attempt, 'max_attempts', max_attempts, 'reason', why);
    if token.run_at <= now then
        code := 'due';
        message := format('It has been due since %s; a supervisor will make it runnable.', say_time(token.run_at));
    end if;
    return next;
end
$$;
