-- Enqueues a callback of a batch at its end, and returns its task's id; null where the batch has none. A callback
-- without a payload gets the batch's id, name, outcome and counts.
-- A callback that cannot be enqueued, although that was tried when the batch was created, becomes a notice: the batch
-- ends all the same.
create or replace function pgqueue_private.call_back(batch_id uuid, task jsonb) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    ended batch;
    stored record;
begin
    if task is null then
        return null;
    end if;
    select * into ended from batch as b where b.id = call_back.batch_id;
    begin
        select * into stored
        from enqueue_many(
            jsonb_build_array(jsonb_build_object('payload', jsonb_build_object(
                'batch_id', ended.id, 'name', ended.name, 'outcome', ended.outcome, 'total', ended.total,
                'completed', ended.completed, 'failed', ended.failed, 'cancelled', ended.cancelled
            )) || task),
            ended.user_id
        );
    exception when others then
        insert into notice (at, kind, message, data)
        values (
            pgqueue.clock(), 'callback_not_enqueued',
            'batch ' || ended.name || ' ended, and a task that it asked for could not be enqueued: ' || sqlerrm,
            jsonb_build_object('batch_id', ended.id, 'task', task)
        );
        return null;
    end;
    perform ring(stored.queues);
    return stored.ids[1];
end
$$;
