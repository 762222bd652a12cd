-- Runs all failed tasks of a batch, and of the batches inside it, again, by an operation, whose id is returned; null
-- where there is no such batch. Each task has its original number of attempts; cancelled tasks stay cancelled.
create or replace function pgqueue.retry_batch(id uuid, requested_by text default null) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    if not exists (select from batch as b where b.id = retry_batch.id) then
        return null;
    end if;
    return start_operation(
        'retry', jsonb_build_object('batch_id', id), 2000, 'what failed in its batch is run again', requested_by
    );
end
$$;

comment on function pgqueue.retry_batch is
    'Runs all failed tasks of a batch again, in parts, and returns the id of the operation that does it; '
    'null: there is no such batch.';
