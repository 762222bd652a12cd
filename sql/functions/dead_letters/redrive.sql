-- Runs a task that failed for good again and removes its dead letter. Returns the id of the task that runs now: the
-- same one or, where its day is gone, a new one with the same options, which replaces the old one in its batch.
-- The new task has no dedup_key, because a task that holds that key now would stop it from being stored, and no
-- expires_at, because the expiry of a task that runs again is not checked again.
-- Returns null when there is no such dead letter. Of two callers at once, only one redrives.
create or replace function pgqueue.redrive(id uuid) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    letter dead_letter;
    stored record;
begin
    -- retry() takes the same lock, so the two take turns. Everything is read after that.
    perform pg_advisory_xact_lock(hashtextextended('pgqueue:retry:' || redrive.id, 0));
    select * into letter from dead_letter as d where d.task_id = redrive.id;
    if not found then
        return null;
    end if;
    if retry(redrive.id) is not null then
        return redrive.id;
    end if;

    delete from dead_letter as d where d.task_id = redrive.id;
    if (letter.options ->> 'run_at')::timestamptz > pgqueue.clock() then  -- it runs now, as with retry()
        letter.options := letter.options - 'run_at';
    end if;
    select * into stored
    from enqueue_many(
        jsonb_build_array(letter.options - '{batch_id, dedup_key, expires_at}'::text[] || jsonb_build_object(
            'type', letter.type, 'queue', letter.queue, 'payload', letter.payload
        )),
        letter.user_id
    );
    update task as t set batch_id = b.id
    from batch as b
    where t.id = stored.ids[1] and b.id = (letter.options ->> 'batch_id')::uuid;
    if found then
        perform reopen_batches((letter.options ->> 'batch_id')::uuid, letter.outcome);
    end if;
    perform ring(stored.queues);
    return stored.ids[1];
end
$$;

comment on function pgqueue.redrive is
    'Runs a dead letter again and returns the id of the task: the same, or a new one where its day is gone; null:'
    ' there is no such dead letter.';
