-- Handles tasks that ended for good, in the transaction that ends them, once for each: their batches count them and
-- end, and the tasks that wait for them are released, or end themselves. outcomes are those of their final attempts.
-- Call it for tasks that are in a batch, have a callback_url, or are followed; for others it does nothing. Call it
-- last: it holds the lock of the batch from here to the end of the transaction.
-- A new hook on the end of a task belongs in count_ended(), which also sees each task that ends here.
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
