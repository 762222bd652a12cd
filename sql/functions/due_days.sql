-- The days whose partitions are there and of which something may go by now, the oldest first.
create or replace function pgqueue.due_days() returns setof date
language sql stable
as $$
    select p.day
    from (
        select to_date(right(c.relname, 8), 'YYYYMMDD') as day
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'pgqueue.task'::regclass and c.relname ~ '^task_[0-9]{8}$'
    ) as p
    left join pgqueue.day as d on d.day = p.day
    where coalesce(d.next_at, (p.day + 1)::timestamp at time zone 'utc' + interval '1 hour' + least(
        interval '7 days',
        (
            select min(least((q.retention ->> 'tasks_s')::float8, (q.retention ->> 'events_s')::float8, (q.retention ->> 'artifacts_s')::float8))
                * interval '1 second'
            from pgqueue.queue as q
            where q.retention is not null
        )
    )) <= pgqueue.clock()
    order by p.day
$$;
