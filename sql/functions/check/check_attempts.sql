-- No task was tried more often than allowed: max_attempts times, and as often again each time that it was run again
-- after its end. Crashes are counted separately: the third ends a task. The newest attempt has the highest number.
create or replace function pgqueue_private.check_attempts()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    with tried as (
        select
            a.task_id,
            count(*) filter (where a.outcome in ('completed', 'failed', 'timed_out')) as charged,
            count(*) filter (where a.outcome = 'crashed') as crashed,
            count(*) filter (where a.final) as ends,
            max(a.attempt) filter (where a.outcome not in ('released', 'snoozed')) as highest  -- those do not count
        from pgqueue_private.attempt as a
        group by a.task_id
    )
    select 'attempts', t.task_id::text, wrong.how
    from tried as t
    join pgqueue_private.task_places() as p on p.id = t.task_id
    cross join lateral (select t.ends - p.ended::int + 1 as n) as runs
    cross join lateral (
        select
            'was tried ' || t.charged || ' times, but its max_attempts is ' || p.max_attempts
            || case when runs.n > 1 then ', in each of its ' || runs.n || ' runs' else '' end as how
        where t.charged > p.max_attempts * runs.n
        union all
        select 'crashed ' || t.crashed || ' times, but the third crash ends a task'
        where t.crashed > 3 * runs.n
        union all
        select 'has attempt ' || t.highest || ', but its newest is attempt ' || p.attempt
        where t.highest > p.attempt
    ) as wrong
    where t.charged > p.max_attempts * runs.n or t.crashed > 3 * runs.n or t.highest > p.attempt  -- almost no task
    union all
    select
        'attempts', a.task_id::text,
        'has an attempt with outcome ' || a.outcome || case when a.final then ' that ended it' else ' that did not end it' end || ', lease ' || a.lease_id
    from pgqueue_private.attempt as a
    where case a.outcome
        when 'completed' then not a.final when 'cancelled' then not a.final
        when 'released' then a.final when 'snoozed' then a.final
    end
$$;
