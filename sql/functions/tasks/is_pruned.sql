-- Whether a task with this id was there once and had its time, as far as can be told: it is not there, and of the day that its
-- id names something was pruned. An id of such a day that never was cannot be told apart from one that was.
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
    'Whether a task that is not there was there once and had its time, as far as its id tells.';
