-- What keeps vacuum from removing dead rows: the oldest snapshots, prepared transactions and replication slots. A
-- queue with a held horizon still claims at full speed, but its tables grow.
with holder as (
    select
        'session ' || pid as who, greatest(age(backend_xmin), age(backend_xid)) as xids_held,
        clock_timestamp() - xact_start as since, usename::text as owner, application_name as application, state,
        left(query, 80) as query
    from pg_stat_activity
    where backend_xmin is not null or backend_xid is not null
    union all
    select 'prepared transaction ' || gid, age(transaction), clock_timestamp() - prepared, owner::text, database::text, null, null
    from pg_prepared_xacts
    union all
    select
        'replication slot ' || slot_name, greatest(age(xmin), age(catalog_xmin)), null, null, plugin::text,
        case when active then 'active' else 'inactive' end, null
    from pg_replication_slots
    where xmin is not null or catalog_xmin is not null
)
select * from holder
where who <> 'session ' || pg_backend_pid()
order by xids_held desc nulls last
limit 20;
