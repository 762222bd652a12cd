-- Ends those of these batches of which nothing is left, in the transaction that saw it, each once, and then the batches they are in.
-- Two transactions may end the last two tasks at once, and neither sees what the other counted. So whoever finds few left goes
-- through the batch's door, a lock held to the end of the transaction, and counts again in a new statement: the last one through sees
-- all. Who finds more than 2,000 left does not stop at the door, so that workers do not queue up there; should that many be ended by
-- others who have not committed yet, or 2,000 counts wait to be folded, the batch is ended by the next fold_batches().
-- Doors are taken the deepest batch first, then by id, so that nobody waits in a circle.
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
            -- whoever closes it waits for this transaction, or has closed it by now
            perform pg_advisory_xact_lock_shared(hashtextextended('pgqueue:batch:add:' || found_batch.id, 0));
            select * into found_batch from batch as b where b.id = found_batch.id;
        end if;
        continue when found_batch.closed_at is null or found_batch.ended_at is not null
            -- so that what is not folded yet is not added up for every few tasks of a large batch
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
