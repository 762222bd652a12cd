-- Makes sure that tasks which will wait for these learn of their ends: marks each task that has not ended as
-- followed, under the lock of its token, so that it cannot end before this transaction does. Returns the tasks that
-- have ended, with their outcomes, and the ids that are unknown.
create or replace function pgqueue_private.hold_tasks(
    task_ids uuid[], out ended uuid[], out outcomes text[], out unknown uuid[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    held uuid[];
begin
    select
        array_agg(k.id) filter (where k.place is not null), coalesce(array_agg(k.id) filter (where k.place is null), '{}'),
        coalesce(array_agg(k.status) filter (where k.place is null), '{}'),
        array(select unnest(task_ids) except select unnest(array_agg(k.id)))
    into held, ended, outcomes, unknown
    from lock_tokens(task_ids, running_too => true) as l
    cross join lateral unnest(l.ids, l.places, l.statuses) as k (id, place, status);
    update running as r set followed = true where r.task_id = any (held);
    update task as t set followed = true where t.id = any (held) and t.followed is not true;
end
$$;
