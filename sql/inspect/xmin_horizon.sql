-- Who keeps PostgreSQL from cleaning up dead rows, the worst first: claims grow dearer while an old snapshot is held.
with holder as (
    select
        'session ' || pid as holder, backend_xmin as horizon, xact_start as since,
        coalesce(usename || ' · ' || application_name || ' · ' || state || ' · ' || left(query, 60), '') as what
    from pg_catalog.pg_stat_activity
    where backend_xmin is not null
    union all
    select 'prepared transaction', transaction, prepared, gid
    from pg_catalog.pg_prepared_xacts
    union all
    select 'replication slot', xmin, null, slot_name
    from pg_catalog.pg_replication_slots
    where xmin is not null
)
select
    age(horizon) as transactions_behind,
    holder,
    date_trunc('seconds', clock_timestamp() - since) as held_for,
    what
from holder
where holder <> 'session ' || pg_backend_pid()
order by transactions_behind desc
limit 20;
