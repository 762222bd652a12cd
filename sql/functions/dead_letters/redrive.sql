-- Runs a task that failed for good again and takes it off the dead letters. Returns the id of the task that runs now: the
-- same, or where its day is gone, a new one with the same type, queue, priority, payload, attempts, timeout, retry policy,
-- limit_key and cost.
-- Returns null when there is no such dead letter; of two callers at once, one redrives.
create or replace function pgqueue.redrive(id uuid) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    letter dead_letter;
    stored record;
begin
    -- as retry() does, which it takes turns with; what is read comes after
    perform pg_advisory_xact_lock(hashtextextended('pgqueue:retry:' || redrive.id, 0));
    select * into letter from dead_letter as d where d.task_id = redrive.id;
    if not found then
        return null;
    end if;
    if retry(redrive.id) is not null then
        return redrive.id;
    end if;

    delete from dead_letter as d where d.task_id = redrive.id;
    -- without its uniqueness key: what holds that now must not swallow it
    select * into stored
    from enqueue_many(
        jsonb_build_array(jsonb_build_object(
            'type', letter.type, 'queue', letter.queue, 'priority', letter.priority, 'payload', letter.payload,
            'max_attempts', letter.max_attempts, 'timeout_s', letter.timeout_s, 'retry', letter.retry,
            'traceparent', letter.traceparent, 'limit_key', letter.limit_key, 'cost', letter.cost
        )),
        letter.user_id
    );
    perform ring(stored.queues);
    return stored.ids[1];
end
$$;

comment on function pgqueue.redrive is
    'Runs a dead letter again and returns the id of the task: the same, or a new one where its day is gone; null:'
    ' there is no such dead letter.';
