-- Enqueues the task of a schedule, given by its name or id, now, whether it is paused or not and whatever it says
-- about overlaps, and returns the task's id. Its slot is due now. Raises PQ002 when there is no such schedule.
create or replace function pgqueue.trigger_schedule(name text) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    known schedule;
    now timestamptz;
    stored record;
begin
    select * into known from schedule as s where s.id = find_schedule(trigger_schedule.name) for update;
    if not found then
        raise exception 'there is no schedule %', to_json(name)
            using errcode = 'PQ002', hint = 'the view pgqueue.schedules lists them';
    end if;
    now := pgqueue.clock();
    select * into stored from fill_slots(jsonb_build_array(jsonb_build_object(
        'id', known.id, 'due_at', now, 'kind', 'trigger', 'fate', 'enqueued'
    )));
    update schedule as s set run_count = s.run_count + 1, last_task_id = stored.task_ids[1] where s.id = known.id;
    perform ring(stored.queues);
    return stored.task_ids[1];
end
$$;

comment on function pgqueue.trigger_schedule is
    'Enqueues the task of a schedule, by its name or id, now and returns the task''s id.';
