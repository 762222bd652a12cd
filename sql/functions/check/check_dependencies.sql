-- A task that waits for others waits only for tasks that have not ended and that are followed, and is blocked for as
-- long.
create or replace function pgqueue_private.check_dependencies()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    with edge as materialized (
        select b.child_id, b.parent_id, b.on_failure, p.id as parent, p.ended as over, c.place, c.ended as child_over
        from pgqueue_private.blocker as b
        left join pgqueue_private.task_places() as p on p.id = b.parent_id
        left join pgqueue_private.task_places() as c on c.id = b.child_id
    )
    select 'dependencies', e.child_id::text, 'waits for task ' || e.parent_id || ', which does not exist'
    from edge as e
    where e.parent is null
    union all
    select 'dependencies', e.child_id::text, 'waits for task ' || e.parent_id || ', which has ended'
    from edge as e
    left join pgqueue_private.follow_later as l on l.task_id = e.parent_id
    where e.over and l.task_id is null
    union all
    select 'dependencies', e.child_id::text, 'waits for task ' || e.parent_id || ', which is not marked as followed'
    from edge as e
    join pgqueue_private.task as t on t.id = e.parent_id
    where t.followed is not true
    union all
    select 'dependencies', e.child_id::text, 'waits for task ' || e.parent_id || ', but is not blocked'
    from edge as e
    left join pgqueue_private.delayed as d on d.task_id = e.child_id and d.status = 'blocked' and d.limit_key is null
    where e.place is not null and d.task_id is null
    union all
    select 'dependencies', e.child_id::text, 'waits for task ' || e.parent_id || ', which is not in its depends_on'
    from edge as e
    left join pgqueue_private.dependency as d on (d.child_id, d.parent_id, d.on_failure) = (e.child_id, e.parent_id, e.on_failure)
    where e.place is not null and d.child_id is null
    union all
    select 'dependencies', d.child_id::text, 'was enqueued to wait for task ' || d.parent_id || ', which never existed'
    from pgqueue_private.dependency as d
    left join pgqueue_private.task as t on t.id = d.parent_id
    where t.id is null and not pgqueue.is_pruned(d.parent_id)
$$;
