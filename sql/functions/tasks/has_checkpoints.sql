-- True when an earlier attempt left checkpoints for the next one.
-- Not a SQL function: that would be inlined into claim, which would then open the partitions although only requeued
-- tasks ask.
create or replace function pgqueue_private.has_checkpoints(task_id uuid) returns boolean
language plpgsql stable
as $$
#variable_conflict use_column
begin
    return exists (select from pgqueue_private.checkpoint as c where c.task_id = has_checkpoints.task_id);
end
$$;
