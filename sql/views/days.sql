-- The days that have partitions: their size on disk, what was pruned of them, and when something may be pruned next.
create or replace view pgqueue.days as
select
    p.day,
    (
        select sum(pg_total_relation_size(to_regclass('pgqueue_private.' || f.name || to_char(p.day, '_YYYYMMDD'))))
        from pgqueue_private.facts() as f
    )::bigint as bytes,
    coalesce(d.next_at, (p.day + 1)::timestamp at time zone 'utc' + interval '1 hour' + shortest.kept) as prune_at,
    d.pruned_at,
    d.kept
from (
    select to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits as i
    join pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'pgqueue_private.task'::regclass and c.relname ~ '^task_[0-9]{8}$'
) as p
cross join (
    select least(interval '7 days', min(least(
        (q.retention ->> 'tasks_s')::float8, (q.retention ->> 'events_s')::float8, (q.retention ->> 'artifacts_s')::float8
    )) * interval '1 second') as kept
    from pgqueue_private.queue as q
) as shortest
left join pgqueue_private.day as d on d.day = p.day and d.dropped_at is null
order by p.day;

comment on view pgqueue.days is 'Every day of tasks that is stored, its size on disk and when it is pruned.';
comment on column pgqueue.days.day is 'The day, in UTC, on which its tasks were enqueued.';
comment on column pgqueue.days.bytes is 'The size on disk of everything that is known of its tasks, including indexes.';
comment on column pgqueue.days.prune_at is 'When something of it may be pruned next.';
comment on column pgqueue.days.pruned_at is 'When something of it was pruned last; null: never.';
comment on column pgqueue.days.kept is 'How many tasks were left then; null: nothing was pruned.';
