-- What happens when tasks end for good, in the transaction that ends them and called once for each: their batches count them
-- and end, those who wait for them are released, or end themselves. outcomes are those of their final attempts.
-- Called for tasks in a batch, with a callback_url, or followed; for others it does nothing. Called last: the door of a batch
-- is held from here to the end of the transaction.
-- A hook for whatever else follows the end of a task belongs into count_ended(), which sees each one that ends here, too.
create or replace function pgqueue_private.follow(task_ids uuid[], outcomes text[]) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    batches uuid[];
begin
    batches := count_ended(task_ids, outcomes);
    batches := batches || follow_dependents(task_ids, outcomes);
    if cardinality(batches) > 0 then
        perform end_batches(batches);
    end if;
end
$$;
