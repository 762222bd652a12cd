-- Ends those of these batches that have nothing left to run, each once, in the transaction that saw it, and then the
-- batches around them.
-- Two transactions may end the last two tasks at once, and neither sees what the other counted. So a transaction that
-- finds few left takes the batch's lock, holds it to its end, and counts again in a new statement: the last one to
-- get the lock sees all. A transaction that finds more than 2,000 left does not take the lock, so that workers do not
-- queue up there. If others who have not committed yet end that many, or 2,000 counts wait to be folded, the next
-- fold_batches() ends the batch.
-- Locks are taken from the deepest batch up, then by id, so there is no deadlock.
create or replace function pgqueue_private.end_batches(ids uuid[]) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    many constant int := 2000;
    found_batch batch;
begin
    loop
        select * into found_batch from batch as b where b.id = any (ids) order by b.depth desc, b.id limit 1;
        exit when not found;
        ids := array_remove(ids, found_batch.id);
        if found_batch.closed_at is null then
            -- Closing it waits for this transaction, or has already happened.
            perform pg_advisory_xact_lock_shared(hashtextextended('pgqueue:batch:add:' || found_batch.id, 0));
            select * into found_batch from batch as b where b.id = found_batch.id;
        end if;
        continue when found_batch.closed_at is null or found_batch.ended_at is not null
            -- This avoids adding up the counts that are not folded yet for every few tasks of a large batch.
            or (
                found_batch.total - found_batch.completed - found_batch.failed - found_batch.cancelled > 25 * many
                and (
                    select count(*) from (select from batch_delta as d where d.batch_id = found_batch.id limit many) as unfolded
                ) = many
            )
            or (select c.remaining from batch_counts(found_batch.id) as c) > many;

        perform pg_advisory_xact_lock(hashtextextended('pgqueue:batch:end:' || found_batch.id, 0));
        if end_batch(found_batch.id) and found_batch.parent_id is not null then
            ids := ids || found_batch.parent_id;
        end if;
    end loop;
end
$$;
