-- The roll-ups, from which charts and counts come, agree with the attempts: for each day of tasks, queue, type and
-- outcome. Days that were partly pruned are not checked.
create or replace function pgqueue_private.check_counts()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    with happened as (
        select p.created_at, p.queue, p.type, p.outcome, true as final from pgqueue_private.task_places() as p where p.ended
        union all
        select t.created_at, t.queue, t.type, a.outcome, false
        from pgqueue_private.attempt as a
        join pgqueue_private.task as t on t.id = a.task_id
        where not a.final
    ),
    fact as (
        select (h.created_at at time zone 'utc')::date as day, h.queue, h.type, h.outcome, h.final, count(*) as n
        from happened as h
        group by 1, 2, 3, 4, 5
    ),
    counted as (
        select (r.created_minute at time zone 'utc')::date as day, r.queue, r.type, r.outcome, r.final, sum(r.n) as n
        from (
            select u.created_minute, u.queue, u.type, u.outcome, u.final, u.n from pgqueue_private.rollup as u
            union all
            select f.created_minute, f.queue, f.type, f.outcome, f.final, f.n from pgqueue_private.rollup_flush as f
        ) as r
        group by 1, 2, 3, 4, 5
        having sum(r.n) <> 0
    )
    select
        'counts', f.day || ' ' || f.queue || ' ' || f.type,
        coalesce(f.n, 0) || ' ' || case when f.final then 'tasks' else 'attempts' end || ' ' || f.outcome || ', but '
        || coalesce(f.counted, 0) || ' were counted'
    from (
        select day, queue, type, outcome, final, e.n, c.n as counted
        from fact as e
        full join counted as c using (day, queue, type, outcome, final)
    ) as f
    where f.n is distinct from f.counted
        and f.day not in (select d.day from pgqueue_private.day as d where d.pruned_at is not null)
$$;
