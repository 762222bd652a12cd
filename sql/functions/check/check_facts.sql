-- Every fact of a task belongs to a task that exists: they are pruned together. No id that was handed out names a
-- task that never existed.
create or replace function pgqueue_private.check_facts()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    select 'facts', f.task_id::text, 'has ' || f.what || ', but there is no such task'
    from (
        select a.task_id, 'attempts' as what from pgqueue_private.attempt as a
        union
        select e.task_id, 'events' from pgqueue_private.task_event as e
        union
        select a.task_id, 'artifacts' from pgqueue_private.artifact as a
        union
        select c.task_id, 'checkpoints' from pgqueue_private.checkpoint as c
        union
        select d.child_id, 'dependencies' from pgqueue_private.dependency as d
    ) as f
    left join pgqueue_private.task as t on t.id = f.task_id
    where t.id is null
    union all
    select 'facts', i.key, 'is an idempotency key of task ' || i.id || ', which never existed'
    from (select k.key, unnest(k.task_ids) as id from pgqueue_private.idempotency as k) as i
    left join pgqueue_private.task as t on t.id = i.id
    where i.id is not null and t.id is null and not pgqueue.is_pruned(i.id)
$$;
