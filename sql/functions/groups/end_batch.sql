-- Ends a batch that has nothing left to run: folds its counts, enqueues its callbacks and counts its end in the batch
-- around it. Returns whether it did; false for one that is open, has ended, or still has something to run. Call it
-- while holding the batch's lock, in a later statement: see end_batches().
-- Enqueues each of its callbacks at most once, however often a retry makes it end again: on_complete at its first
-- end, on_failure at the first end with something that did not complete, on_success at the first end without.
create or replace function pgqueue_private.end_batch(id uuid) returns boolean
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
    counts record;
    ended batch;
begin
    perform from batch as b where b.id = end_batch.id and b.closed_at is not null and b.ended_at is null;
    if not found then
        return false;
    end if;
    select * into counts from batch_counts(id);
    if counts.remaining <> 0 then
        return false;
    end if;

    delete from batch_delta as d where d.batch_id = id;
    update batch as b set
        total = counts.total, completed = counts.completed, failed = counts.failed, cancelled = counts.cancelled,
        batches = counts.batches, batches_ended = counts.batches_ended, batches_failed = counts.batches_failed,
        ended_at = now,
        outcome = case
            when counts.failed + counts.batches_failed > 0 then 'failed' when counts.cancelled > 0 then 'cancelled' else 'completed'
        end
    where b.id = end_batch.id
    returning b.* into ended;

    update batch as b set
        complete_task_id = coalesce(ended.complete_task_id, call_back(ended.id, ended.on_complete)),
        success_task_id = case
            when ended.outcome = 'completed' then coalesce(ended.success_task_id, call_back(ended.id, ended.on_success))
            else ended.success_task_id
        end,
        failure_task_id = case
            when ended.outcome <> 'completed' then coalesce(ended.failure_task_id, call_back(ended.id, ended.on_failure))
            else ended.failure_task_id
        end
    where b.id = end_batch.id and coalesce(ended.on_complete, ended.on_success, ended.on_failure) is not null;

    if ended.parent_id is not null then
        insert into batch_delta (batch_id, batches_ended, batches_failed)
        values (ended.parent_id, 1, (ended.outcome <> 'completed')::int);
    end if;
    if ended.callback_url is not null or exists (select from webhook as w where w.disabled_at is null) then
        perform tell(
            'batch.' || ended.outcome, now,
            json_build_object(
                'id', ended.id, 'name', ended.name, 'status', ended.outcome, 'total', ended.total,
                'completed', ended.completed, 'failed', ended.failed, 'cancelled', ended.cancelled,
                'parent_id', ended.parent_id, 'metadata', case when pg_column_size(ended.metadata) <= 16384 then ended.metadata end,
                'created_at', json_time(ended.created_at), 'ended_at', json_time(now)
            ),
            subject_id => ended.id, callback_url => ended.callback_url, user_id => ended.user_id
        );
    end if;
    if exists (select from listener as l where l.channel = 'pgqueue_event' and l.expires_at > now) then
        perform announce(array[end_batch.id]);
    end if;
    return true;
end
$$;
