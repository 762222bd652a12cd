-- Carries out what a scheduler planned: decides the fate of each due time, enqueues, and moves the schedules on, in
-- one transaction. Each element: id, version and due_at (its next_due_at) as they were read, and a schedule that was
-- changed meanwhile is left alone; slots (due times that have come, in order), gap_from (the first of those that came
-- before them, if they were too many to list), next_due_at and look_at (null: none is to come), error (why cron
-- cannot be read), backfill (due times to fill) and backfill_from (where to continue; null: done).
-- A schedule that fails, such as by a value that no task can have, fails alone: its due times are skipped, with the
-- reason. Returns how many tasks it enqueued, which, and the queues to ring.
create or replace function pgqueue_private.fire_schedules(plans jsonb, out fired int, out task_ids uuid[], out queues text[])
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    n constant int := jsonb_array_length(plans);
    half record;
    part jsonb;
begin
    select * into fired, task_ids, queues from fire_planned(plans);
exception when others then
    if left(sqlstate, 2) in ('08', '40', '53', '55', '57', '58', 'XX') then
        raise;  -- the cause is not a schedule
    end if;
    if n = 1 then
        select * into fired, task_ids, queues from fire_planned(plans, failure => sqlerrm);
        return;
    end if;
    fired := 0;
    task_ids := '{}';
    queues := '{}';
    for part in  -- halve the plans, so that only the faulty one fails
        select jsonb_agg(p.plan order by p.place)
        from jsonb_array_elements(plans) with ordinality as p (plan, place)
        group by p.place <= n / 2
    loop
        select * into half from fire_schedules(part);
        fired := fired + half.fired;
        task_ids := task_ids || half.task_ids;
        queues := queues || half.queues;
    end loop;
end
$$;
