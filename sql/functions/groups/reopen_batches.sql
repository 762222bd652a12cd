-- Undoes the count of a task that ended in a batch with this outcome, because the task runs again. A batch that had
-- ended is no longer ended, and so on upwards. Takes the lock of each batch, the deepest first, so that none ends
-- meanwhile without this task.
create or replace function pgqueue_private.reopen_batches(id uuid, outcome text) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    ended batch;
begin
    if not exists (select from batch as b where b.id = reopen_batches.id) then
        return;  -- it was pruned
    end if;
    perform pg_advisory_xact_lock(hashtextextended('pgqueue:batch:end:' || id, 0));
    insert into batch_delta (batch_id, completed, failed, cancelled)
    values (
        id, -(outcome = 'completed')::int, -(outcome not in ('completed', 'cancelled'))::int, -(outcome = 'cancelled')::int
    );
    loop
        select * into ended from batch as b where b.id = reopen_batches.id and b.ended_at is not null;
        exit when not found;
        update batch as b set ended_at = null, outcome = null where b.id = ended.id;
        exit when ended.parent_id is null;
        id := ended.parent_id;
        perform pg_advisory_xact_lock(hashtextextended('pgqueue:batch:end:' || id, 0));
        insert into batch_delta (batch_id, batches_ended, batches_failed) values (id, -1, -(ended.outcome <> 'completed')::int);
    end loop;
end
$$;
