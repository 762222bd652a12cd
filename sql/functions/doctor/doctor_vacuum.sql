-- Whether dead rows are removed: the settings of autovacuum, whether it keeps up, and the size of the tables of
-- tokens.
create or replace function pgqueue_private.doctor_vacuum()
returns table (topic text, level text, finding text, advice text)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    with token as (
        select
            c.oid, c.relname as name, c.reloptions, s.n_live_tup as live, s.n_dead_tup as dead,
            greatest(s.last_autovacuum, s.last_vacuum) as vacuumed_at,
            pg_relation_size(c.oid) + pg_indexes_size(c.oid) as bytes
        from pg_class as c
        join pg_stat_all_tables as s on s.relid = c.oid
        where c.relnamespace = 'pgqueue_private'::regnamespace and c.relkind = 'r' and not c.relispartition
            and c.reloptions::text ~ 'autovacuum_vacuum_threshold'  -- the tables whose rows are often deleted
    )
    select
        'autovacuum', 'error', 'autovacuum does not run: ' || s.name || ' is off',
        'alter system set ' || s.name || ' = on; select pg_reload_conf(): without it the tables of tokens grow for ever'
    from pg_settings as s
    where s.name in ('autovacuum', 'track_counts') and s.setting = 'off'
    union all
    select
        'autovacuum', 'error', 'autovacuum is off for pgqueue_private.' || t.name,
        'alter table pgqueue_private.' || t.name || ' reset (autovacuum_enabled)'
    from token as t
    where t.reloptions && array['autovacuum_enabled=false', 'autovacuum_enabled=off']
    union all
    select
        'autovacuum', 'warning',
        'pgqueue_private.' || t.name || ' has ' || t.dead || ' dead rows beside ' || t.live || ' live ones; last vacuumed: '
        || coalesce(to_char(t.vacuumed_at at time zone 'utc', 'YYYY-MM-DD HH24:MI"Z"'), 'never'),
        'if the topic horizon has a finding, resolve that first. Otherwise raise autovacuum_max_workers, or clean up '
        'now: vacuum pgqueue_private.' || t.name
    from token as t
    where t.dead > 100000 and t.dead > 2 * t.live
    union all
    select
        'bloat', 'warning',
        'pgqueue_private.' || t.name || ' takes ' || pg_size_pretty(t.bytes) || ' for ' || t.live || ' rows',
        'once the topic horizon has no finding: vacuum pgqueue_private.' || t.name || '; reindex table concurrently pgqueue_private.' || t.name
        || '; and at a quiet time, because it locks the table: vacuum full pgqueue_private.' || t.name
    from token as t
    where t.bytes > 16777216 and t.bytes > 1500 * (t.live + 1000)
$$;
