-- Whether a task with this id once existed and was pruned, as far as its id tells: there is no such task, and part of
-- the day that its id names was pruned. An id of such a day that never existed looks the same.
create or replace function pgqueue.is_pruned(id uuid) returns boolean
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (select from day as d where d.day = day_of(is_pruned.id) and d.pruned_at is not null)
        and not exists (select from task as t where t.id = is_pruned.id);
end
$$;

comment on function pgqueue.is_pruned is
    'Whether there is no such task any more because it was pruned, as far as its id tells.';
