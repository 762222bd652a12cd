-- Deletes what is past its retention in a day that mostly stays: tasks with all that is known of them, and the events
-- and artifacts of tasks that stay longer. Looks at the next max_tasks tasks of the day behind the cursor, in the order
-- of their ids, and returns how far it got (null: to the end) and how many it deleted. prune_day() calls it under its
-- lock on the day.
create or replace function pgqueue_private.thin_day(day date, max_tasks int, inout cursor uuid, out deleted bigint)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    low constant uuid := first_id_at(day::timestamp at time zone 'utc');
    high constant uuid := first_id_at((day + 1)::timestamp at time zone 'utc');
    looked uuid[];
    ended record;
begin
    looked := array(
        select t.id from task as t
        where t.id >= low and t.id < high and (thin_day.cursor is null or t.id > thin_day.cursor)
        order by t.id
        limit max_tasks
    );
    cursor := case when cardinality(looked) = max_tasks then looked[max_tasks] end;

    with over as materialized (
        select t.id, t.queue, last.finished_at
        from task as t
        cross join lateral (
            select a.final, a.finished_at from attempt as a where a.task_id = t.id order by a.lease_id desc limit 1
        ) as last
        where t.id = any (looked) and last.final
            and not exists (select from running as r where r.task_id = t.id)
            and not exists (select from delayed as d where d.task_id = t.id)
            and not exists (select from ready as r where r.task_id = t.id and r.requeued)
            and not exists (
                select from dependency as p
                join delayed as d on d.task_id = p.child_id and d.status = 'blocked'
                where p.parent_id = t.id
            )
    )
    select
        array_agg(o.id) filter (where o.finished_at <= now - kept_for(o.queue, 'tasks')) as tasks,
        array_agg(o.id) filter (where o.finished_at <= now - kept_for(o.queue, 'events')) as events,
        array_agg(o.id) filter (where o.finished_at <= now - kept_for(o.queue, 'artifacts')) as artifacts
    into ended
    from over as o;

    delete from task_event as e where e.task_id = any (ended.events);
    delete from artifact as a where a.task_id = any (ended.artifacts);
    delete from checkpoint as c where c.task_id = any (ended.tasks);
    delete from dependency as p where p.child_id = any (ended.tasks);
    delete from attempt as a where a.task_id = any (ended.tasks);
    delete from task as t where t.id = any (ended.tasks);
    get diagnostics deleted = row_count;
end
$$;
