-- Records the fates of due times of schedules, and enqueues the tasks of those whose fate is enqueued, in one
-- transaction.
-- Each element: id (of the schedule), due_at, kind, fate and reason; each due time at most once. A due time that has
-- been enqueued before stays as it is; one that was missed or skipped can only become enqueued. The caller holds the
-- locks of the schedules. Returns the schedules and the tasks that were enqueued, in the order given, and the queues
-- to ring.
create or replace function pgqueue_private.fill_slots(decided jsonb, out schedule_ids uuid[], out task_ids uuid[], out queues text[])
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    mine record;
    stored record;
begin
    schedule_ids := '{}';
    task_ids := '{}';
    queues := '{}';
    for mine in
        select
            s.user_id,
            array_agg(s.id order by d.n) as ids,
            array_agg(d.due_at order by d.n) as due,
            array_agg(coalesce(d.kind, 'due') order by d.n) as kinds,
            jsonb_agg(
                s.options || jsonb_build_object('type', s.type, 'payload', s.payload, 'run_at', d.due_at) order by d.n
            ) as tasks
        from rows from (
            jsonb_to_recordset(decided) as (id uuid, due_at timestamptz, kind text, fate text)
        ) with ordinality as d (id, due_at, kind, fate, n)
        cross join lateral (select * from schedule as s where s.id = d.id limit 1) as s
        where d.fate = 'enqueued' and (
            select l.fate from schedule_slot as l where l.schedule_id = d.id and l.due_at = d.due_at
        ) is distinct from 'enqueued'
        group by s.user_id
    loop
        select * into stored from enqueue_many(mine.tasks, mine.user_id);
        insert into schedule_slot as l (schedule_id, due_at, at, kind, fate, open, task_id)
        select u.id, u.due_at, now, u.kind, 'enqueued', true, u.task_id
        from unnest(mine.ids, mine.due, mine.kinds, stored.ids) as u (id, due_at, kind, task_id)
        on conflict (schedule_id, due_at) do update
        set at = excluded.at, kind = excluded.kind, fate = excluded.fate, open = true, reason = null, task_id = excluded.task_id;
        schedule_ids := schedule_ids || mine.ids;
        task_ids := task_ids || stored.ids;
        queues := queues || stored.queues;
    end loop;

    insert into schedule_slot as l (schedule_id, due_at, at, kind, fate, reason)
    select d.id, d.due_at, now, coalesce(d.kind, 'due'), d.fate, d.reason
    from jsonb_to_recordset(decided) as d (id uuid, due_at timestamptz, kind text, fate text, reason text)
    where d.fate <> 'enqueued'
    on conflict (schedule_id, due_at) do update set at = excluded.at, fate = excluded.fate, reason = excluded.reason
    where l.fate = 'waiting';
end
$$;
