-- Whether maintenance is done: that someone does it, and that no duty is late or fails.
create or replace function pgqueue_private.doctor_maintenance()
returns table (topic text, level text, finding text, advice text)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    select
        'maintenance', 'error',
        'no maintenance duty has '
        || coalesce('run for ' || date_trunc('second', pgqueue.clock() - max(m.last_finished_at)), 'ever run'),
        'start a worker (pgqueue worker): any single worker does the maintenance for all'
    from maintenance as m
    having coalesce(max(m.last_finished_at), '-infinity') < pgqueue.clock() - interval '1 minute'
    union all
    select
        'maintenance', case m.state when 'failing' then 'error' else 'warning' end,
        'the duty ' || m.duty || case m.state
            when 'failing' then ' fails: ' || m.last_error
            else ' is ' || m.lag_s || ' s late'
        end,
        case m.state
            when 'failing' then 'the error says why; the duty is retried automatically'
            else 'find out what holds it up (topic locks), and whether its supervisor '
                || coalesce(m.run_by, '') || ' is still running'
        end
    from maintenance as m
    where m.state <> 'ok'
        and (select max(n.last_finished_at) from maintenance as n) >= pgqueue.clock() - interval '1 minute'
$$;
