-- What holds the horizon, so that dead rows cannot be removed: sessions with old snapshots, prepared transactions,
-- replication slots.
create or replace function pgqueue_private.doctor_holders(patience interval default '5 minutes')
returns table (topic text, level text, finding text, advice text)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    with holder as (
        select
            'pid ' || a.pid || ' (' || coalesce(nullif(a.application_name, ''), a.backend_type) || ', user '
            || coalesce(a.usename, '-') || ', ' || coalesce(a.state, '-') || ')' as who,
            clock_timestamp() - a.xact_start as age,
            greatest(age(a.backend_xmin), age(a.backend_xid)) as xids,
            'end its transaction, or: select pg_terminate_backend(' || a.pid || '); to prevent it, set '
            'idle_in_transaction_session_timeout and run long reports on a replica' as advice,
            false as left_alone, null::bigint as wal
        from pg_stat_activity as a
        where (a.backend_xmin is not null or a.backend_xid is not null)
            and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
        union all
        select
            'the prepared transaction ' || p.gid, clock_timestamp() - p.prepared, age(p.transaction),
            'in database ' || p.database || ': commit prepared ' || quote_literal(p.gid) || ', or rollback prepared '
            || quote_literal(p.gid),
            false, null
        from pg_prepared_xacts as p
        union all
        select
            'the replication slot ' || s.slot_name, null, greatest(age(s.xmin), age(s.catalog_xmin)),
            'restart its consumer, or: select pg_drop_replication_slot(' || quote_literal(s.slot_name) || ')',
            not s.active, pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::bigint
        from pg_replication_slots as s
        where not pg_is_in_recovery()
    )
    select
        'horizon', case when h.age > interval '1 hour' or h.xids > 10000000 then 'error' else 'warning' end,
        h.who || case when h.left_alone then ' has no consumer' else ' keeps dead rows from being removed' end
        || coalesce(' for ' || date_trunc('second', h.age), '')
        || coalesce('; transactions since then: ' || h.xids, '')
        || coalesce('; WAL kept for it: ' || pg_size_pretty(h.wal), ''),
        h.advice
    from holder as h
    where h.age > patience or h.left_alone or (h.age is null and h.xids > 100000)
    order by h.xids desc nulls last
    limit 20
$$;
