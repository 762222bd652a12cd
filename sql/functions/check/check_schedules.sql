-- Each due time of a schedule has one fate: the one task that was enqueued for it, a reason, or it waits, and the
-- schedule agrees.
create or replace function pgqueue_private.check_schedules()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    select 'schedules', l.schedule_id::text, 'has a slot at ' || l.due_at || ', but there is no such schedule'
    from pgqueue_private.schedule_slot as l
    left join pgqueue_private.schedule as s on s.id = l.schedule_id
    where s.id is null
    union all
    select
        'schedules', l.schedule_id::text,
        'has a slot at ' || l.due_at || ' that is ' || l.fate || coalesce(', with task ' || l.task_id, ', without a task')
    from pgqueue_private.schedule_slot as l
    where (l.fate = 'enqueued') <> (l.task_id is not null)
    union all
    select 'schedules', min(l.schedule_id::text), 'enqueued task ' || l.task_id || ' for ' || count(*) || ' slots'
    from pgqueue_private.schedule_slot as l
    where l.task_id is not null
    group by l.task_id
    having count(*) > 1
    union all
    select 'schedules', l.schedule_id::text, 'has a slot at ' || l.due_at || ' of task ' || l.task_id || ', which never existed'
    from pgqueue_private.schedule_slot as l
    left join pgqueue_private.task as t on t.id = l.task_id
    where l.task_id is not null and t.id is null and not pgqueue.is_pruned(l.task_id)
    union all
    select 'schedules', l.schedule_id::text, 'has a waiting slot at ' || l.due_at || ', but its own row does not say so'
    from pgqueue_private.schedule_slot as l
    join pgqueue_private.schedule as s on s.id = l.schedule_id
    where l.fate = 'waiting' and s.waiting_at is distinct from l.due_at
    union all
    select 'schedules', s.id::text, 'says that its slot at ' || s.waiting_at || ' waits, but that slot does not wait'
    from pgqueue_private.schedule as s
    left join pgqueue_private.schedule_slot as l on l.schedule_id = s.id and l.due_at = s.waiting_at and l.fate = 'waiting'
    where s.waiting_at is not null and l.schedule_id is null
$$;
