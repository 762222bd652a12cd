-- The schema itself: what `pgqueue migrate` and /readyz ask.

-- name: begin_migration
-- Try, never wait: a waiting session holds a snapshot, and an index that is created concurrently waits for that.
select pg_try_advisory_xact_lock(hashtextextended('pgqueue:migrate', 0));

-- name: database_encoding
select d.datname, pg_encoding_to_char(d.encoding) from pg_database as d where d.datname = current_database();

-- name: schema_exists
-- outdated: a database from before the first release, whose tables are in the schema pgqueue.
select
    to_regclass('pgqueue_private.migration') is not null as made,
    to_regclass('pgqueue.migration') is not null as outdated;

-- name: create_schema
create schema if not exists pgqueue;
create schema if not exists pgqueue_private;
comment on schema pgqueue is 'The contract: the views and functions that people and programs use.';
comment on schema pgqueue_private is 'Internal to pgqueue: may change with each release.';
create table pgqueue_private.migration (
    version int primary key,
    name text not null,
    min_code int,
    applied_at timestamptz not null default now()
);
-- The installed functions and views: their version, their digest, and the digest of each view.
create table pgqueue_private.code (
    only_row boolean primary key default true check (only_row),
    version int not null,
    digest text not null,
    views jsonb not null
);

-- name: prepare_migration
-- search_path: what a migration creates without naming a schema is private. lock_timeout: longer than deadlock_timeout
-- (1 s), after which autovacuum makes way; others queue behind this session no longer than that.
select
    set_config('search_path', 'pgqueue_private, pgqueue, pg_catalog, pg_temp', true),
    set_config('lock_timeout', '1500ms', true),
    set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true),
    set_config('check_function_bodies', 'off', true),
    set_config('client_min_messages', 'warning', true);

-- name: prepare_lone_statements
-- These statements wait for the transactions that are open, and block nobody while they do.
select
    set_config('search_path', 'pgqueue_private, pgqueue, pg_catalog, pg_temp', false),
    set_config('lock_timeout', '60s', false),
    set_config('statement_timeout', '0', false),
    set_config('client_min_messages', 'warning', false);

-- name: applied_migrations
select max(version), max(min_code) from pgqueue_private.migration;

-- name: schema_version
-- The version that is ready for use: the functions and views of a version come after its migrations.
select least(max(m.version), (select c.version from pgqueue_private.code as c)) as version, max(m.min_code) as min_code
from pgqueue_private.migration as m;

-- name: readiness
select
    least(max(m.version), (select c.version from pgqueue_private.code as c)) as version, max(m.min_code) as min_code,
    array(
        select s.name from unnest(array['fsync', 'full_page_writes', 'synchronous_commit']) as s (name)
        where current_setting(s.name) = 'off'
    ) as unsafe
from pgqueue_private.migration as m;

-- name: held_back
select queue, type, task_id::text, waits_s, code, message from pgqueue_private.held_back(max_tasks => 5);

-- name: record_migration
insert into pgqueue_private.migration (version, name, min_code) values (%(version)s, %(name)s, %(min_code)s);

-- name: schema_code
select version, digest, views from pgqueue_private.code;

-- name: schema_digest
select digest from pgqueue_private.code;

-- name: record_code
insert into pgqueue_private.code (version, digest, views) values (%(version)s, %(digest)s, %(views)s::jsonb)
on conflict (only_row) do update set version = excluded.version, digest = excluded.digest, views = excluded.views;

-- name: our_functions
select p.oid::int8, p.xmin::text
from pg_proc as p
where p.pronamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace) and p.prokind in ('f', 'p');

-- name: set_planner
-- A statement for each function of the list: sql/compat may hold a second one of the same name.
select
    format(
        'alter routine %%s %%s', p.oid::regprocedure,
        (
            select string_agg(format('set %%I to %%L', split_part(s, '=', 1), split_part(s, '=', 2)), ' ')
            from unnest(l.settings) as s
        )
    )
from pgqueue_private.planner_settings() as l
join pg_proc as p
    on p.proname = l.function_name and p.pronamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace);

-- name: drop_retired
-- A function that something still uses (a check constraint, a view of the user's) stays.
select format('drop routine %%s', p.oid::regprocedure)
from pg_proc as p
where
    p.pronamespace = to_regnamespace('pgqueue_retired')
    and not exists (select from pg_depend as d where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid);

-- name: retire_functions
select 'create schema if not exists pgqueue_retired' where cardinality(%(functions)s::oid[]) > 0
union all
select format('alter routine %%s set schema pgqueue_retired', p.oid::regprocedure)
from pg_proc as p
where p.oid = any (%(functions)s::oid[]);

-- name: functions_named
select p.oid::int8, p.xmin::text
from pg_proc as p
where p.pronamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace) and p.proname = %(name)s;

-- name: our_views
-- stale: the view uses a function that was retired.
select
    c.relname,
    exists (
        select
        from pg_rewrite as r
        join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_proc'::regclass
        join pg_proc as p on p.oid = d.refobjid
        where r.ev_class = c.oid and p.pronamespace = to_regnamespace('pgqueue_retired')
    ) as stale
from pg_class as c
where c.relnamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace) and c.relkind = 'v';

-- name: views_upon
-- The view itself, and those of pgqueue's views that depend on it.
with recursive upon as (
    select c.oid
    from pg_class as c
    where c.relnamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace) and c.relname = %(view)s
    union
    select r.ev_class
    from upon
    join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = upon.oid
    join pg_rewrite as r on r.oid = d.objid
)
select c.relname
from upon
join pg_class as c on c.oid = upon.oid
where c.relnamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace);

-- name: grants_on
select
    format(
        'grant %%s on %%I.%%I to %%s%%s', g.privilege_type, c.relnamespace::regnamespace::text, c.relname,
        case when g.grantee = 0 then 'public' else g.grantee::regrole::text end,
        case when g.is_grantable then ' with grant option' else '' end
    )
from pg_class as c
cross join lateral aclexplode(c.relacl) as g
where
    c.relnamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace)
    and c.relname = any (%(views)s::text[]) and g.grantee <> c.relowner;

-- name: drop_views
select 'drop view ' || string_agg(format('%%I.%%I', c.relnamespace::regnamespace::text, c.relname), ', ')
from pg_class as c
where
    c.relnamespace in ('pgqueue'::regnamespace, 'pgqueue_private'::regnamespace)
    and c.relname = any (%(views)s::text[]);

-- name: lock_holders
-- Sessions that have used the schema in an open transaction, the oldest first.
select
    a.pid,
    coalesce(nullif(a.application_name, ''), a.backend_type) as application,
    extract(epoch from clock_timestamp() - a.xact_start)::float8 as open_s,
    coalesce(a.state, '') as state,
    left(regexp_replace(a.query, '[[:space:]]+', ' ', 'g'), 80) as query
from pg_stat_activity as a
where
    a.pid <> pg_backend_pid() and a.datname = current_database() and a.xact_start is not null
    and exists (
        select
        from pg_locks as l
        join pg_class as c on c.oid = l.relation
        where
            l.pid = a.pid and l.granted and l.database = a.datid
            and c.relnamespace in (to_regnamespace('pgqueue'), to_regnamespace('pgqueue_private'))
    )
order by a.xact_start
limit 3;

-- name: make_partitions
select pgqueue.ensure_partitions((pgqueue.clock() at time zone 'utc')::date, %(days)s);
