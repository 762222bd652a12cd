-- The schema itself: what `pgqueue migrate` and /readyz ask.

-- name: lock_migrations
select pg_advisory_xact_lock(hashtextextended('pgqueue:migrate', 0));

-- name: schema_exists
select to_regclass('pgqueue.migration') is not null;

-- name: create_schema
create schema if not exists pgqueue;
create table pgqueue.migration (
    version int primary key,
    name text not null,
    min_code int,
    applied_at timestamptz not null default now()
);
create table pgqueue.code (
    only_row boolean primary key default true check (only_row),
    digest text not null
);

-- name: prepare_migration
select
    set_config('search_path', 'pgqueue, pg_catalog, pg_temp', true),
    set_config('lock_timeout', '2s', true),
    set_config('check_function_bodies', 'off', true),
    set_config('client_min_messages', 'warning', true);

-- name: schema_version
select max(version) as version, max(min_code) as min_code from pgqueue.migration;

-- name: readiness
select
    max(version) as version, max(min_code) as min_code,
    array(
        select s.name from unnest(array['fsync', 'full_page_writes', 'synchronous_commit']) as s (name)
        where current_setting(s.name) = 'off'
    ) as unsafe
from pgqueue.migration;

-- name: record_migration
insert into pgqueue.migration (version, name, min_code) values (%(version)s, %(name)s, %(min_code)s);

-- name: schema_digest
select digest from pgqueue.code;

-- name: record_digest
insert into pgqueue.code (digest) values (%(digest)s)
on conflict (only_row) do update set digest = excluded.digest;

-- name: drop_views
do $$
declare
    name text;
begin
    for name in select viewname from pg_views where schemaname = 'pgqueue' loop
        execute format('drop view if exists pgqueue.%I cascade', name);
    end loop;
end
$$;

-- name: make_partitions
select pgqueue.ensure_partitions((pgqueue.clock() at time zone 'utc')::date, %(days)s);
