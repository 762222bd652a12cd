-- Cancels everything in a batch, and in the batches inside it, that has not ended: the batches accept no more tasks,
-- and an operation, whose id is returned, cancels their tasks in parts. Returns null where there is no such batch.
-- The batch ends when all its tasks have ended.
create or replace function pgqueue.cancel_batch(id uuid, reason text default null, requested_by text default null) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    one uuid;
begin
    if not exists (select from batch as b where b.id = cancel_batch.id) then
        return null;
    end if;
    -- The deepest first, so that empty batches end before those around them.
    for one in
        select b.id from batch as b where b.id = any (batches_under(cancel_batch.id)) order by b.depth desc, b.id
    loop
        update batch as b set cancelled_at = pgqueue.clock() where b.id = one and b.cancelled_at is null and b.ended_at is null;
        perform close_batch(one);
    end loop;
    -- Once nothing can be added: an operation leaves alone what is enqueued after its start.
    return start_operation(
        'cancel', jsonb_build_object('batch_id', id), 2000, coalesce(reason, 'its batch was cancelled'), requested_by
    );
end
$$;

comment on function pgqueue.cancel_batch is
    'Cancels everything in a batch that has not ended, in parts, and returns the id of the operation that does it; '
    'null: there is no such batch.';
