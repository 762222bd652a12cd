-- Deletes a dead letter: its task stays failed until its day is pruned. Returns whether there was one.
create or replace function pgqueue.delete_dead_letter(id uuid) returns boolean
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
begin
    delete from dead_letter as d where d.task_id = delete_dead_letter.id;
    return found;
end
$$;

comment on function pgqueue.delete_dead_letter is
    'Deletes a dead letter and returns whether there was one; its task stays failed.';
