-- Sessions that have waited long for a lock on a table of pgqueue, and those that block them; and idle transactions
-- that hold such locks.
create or replace function pgqueue_private.doctor_locks(patience interval default '5 seconds')
returns table (topic text, level text, finding text, advice text)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    select
        'locks', 'error',
        'pid ' || w.pid || ' (' || coalesce(nullif(w.application_name, ''), w.backend_type) || ') has waited '
        || date_trunc('second', clock_timestamp() - w.query_start) || ' for a lock'
        || coalesce(' on ' || min(c.relname), '') || ', behind pid ' || array_to_string(pg_blocking_pids(w.pid), ', '),
        'look at the blocking sessions in pg_stat_activity, and end those that should not be there: '
        || coalesce(
            (select string_agg('select pg_terminate_backend(' || b || ')', '; ') from unnest(pg_blocking_pids(w.pid)) as b),
            'none is left'
        )
    from pg_stat_activity as w
    join pg_locks as l on l.pid = w.pid and not l.granted
    left join pg_class as c on c.oid = l.relation and l.database = (select d.oid from pg_database as d where d.datname = w.datname)
    where w.wait_event_type = 'Lock' and w.query_start < clock_timestamp() - patience
        and w.datname = current_database() and (c.oid is null or c.relnamespace = 'pgqueue_private'::regnamespace)
    group by w.pid, w.application_name, w.backend_type, w.query_start
    union all
    select
        'locks', 'warning',
        'pid ' || a.pid || ' (' || coalesce(nullif(a.application_name, ''), a.backend_type) || ') has been idle in a transaction for '
        || date_trunc('second', clock_timestamp() - a.state_change) || ' and holds locks on '
        || string_agg(distinct c.relname, ', '),
        'end it: select pg_terminate_backend(' || a.pid || '); to prevent it, set idle_in_transaction_session_timeout'
    from pg_stat_activity as a
    join pg_locks as l on l.pid = a.pid and l.granted
    join pg_class as c on c.oid = l.relation
    where a.state like 'idle in transaction%' and a.state_change < clock_timestamp() - 12 * patience
        and a.datname = current_database() and c.relnamespace = 'pgqueue_private'::regnamespace
        and (c.relkind = 'p' or (c.relkind = 'r' and not c.relispartition))
    group by a.pid, a.application_name, a.backend_type, a.state_change
$$;
