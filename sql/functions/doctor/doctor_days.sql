-- What is wrong with the partitions of days: missing ones, days that should be gone, and leftovers of an interrupted
-- or manual change.
create or replace function pgqueue_private.doctor_days()
returns table (topic text, level text, finding text, advice text)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    with today as (
        select (pgqueue.clock() at time zone 'utc')::date as day
    ),
    missing as (
        select d.day, count(*) as n
        from today
        cross join lateral (select today.day + n as day from generate_series(0, 7) as n) as d
        cross join facts() as f
        where to_regclass('pgqueue_private.' || f.name || to_char(d.day, '_YYYYMMDD')) is null
        group by d.day
    ),
    incomplete as (
        select to_date(right(c.relname, 8), 'YYYYMMDD') as day, string_agg(f.name, ', ') as names
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        cross join facts() as f
        where i.inhparent = 'pgqueue_private.task'::regclass
            and to_regclass('pgqueue_private.' || f.name || '_' || right(c.relname, 8)) is null
        group by c.relname
    ),
    overdue as (
        select d.day from days as d where d.prune_at < pgqueue.clock() - interval '1 day'
    ),
    stray as (
        select c.relname
        from pg_class as c
        join facts() as f on c.relname ~ ('^' || f.name || '_[0-9]{8}')
        where c.relnamespace = 'pgqueue_private'::regnamespace and c.relkind = 'r' and not c.relispartition
    )
    select
        'partitions',
        case when min(m.day) <= (select day + 1 from today) then 'error' else 'warning' end,
        'partitions are missing for ' || count(*) || ' of the next 8 days, the first for ' || min(m.day),
        'start a worker: its duty make_days creates them (pgqueue.maintenance shows its state). To create them now: '
        'select pgqueue.ensure_partitions((pgqueue.clock() at time zone ''utc'')::date, 8)'
    from missing as m
    having count(*) > 0
    union all
    select
        'partitions', 'error', 'day ' || i.day || ' has no partition of ' || i.names,
        'select pgqueue.ensure_partitions(''' || i.day || ''', 1)'
    from incomplete as i
    where i.day not in (select day from missing)
    union all
    select
        'retention', 'warning',
        'days that should have been pruned more than a day ago: ' || count(*) || ', the oldest is ' || min(o.day),
        'look at the duty prune_days in pgqueue.maintenance: without a worker nothing is pruned, and a day that a long '
        'transaction reads is kept until that transaction ends (topics horizon and locks)'
    from overdue as o
    having count(*) > 0
    union all
    select
        'partitions', 'warning', 'pgqueue_private.' || s.relname || ' is a day partition that is not attached to any table',
        'somebody detached it: attach it again, or drop it if nobody needs its tasks'
    from stray as s
$$;
