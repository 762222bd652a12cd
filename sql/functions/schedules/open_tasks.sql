-- The tasks of a schedule that have not ended, in the order of their due times. Ended ones are not looked at again.
create or replace function pgqueue_private.open_tasks(schedule_id uuid) returns uuid[]
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    alive uuid[];
begin
    with looked as materialized (
        select
            l.due_at, l.task_id,
            coalesce((
                select v.status not in ('completed', 'failed', 'cancelled') from tasks as v where v.id = l.task_id limit 1
            ), false) as alive
        from schedule_slot as l
        where l.schedule_id = open_tasks.schedule_id and l.open
    ),
    closed as (
        update schedule_slot as l set open = false
        where l.schedule_id = open_tasks.schedule_id and l.due_at = any (array(select due_at from looked where not alive))
    )
    select coalesce(array_agg(task_id order by due_at) filter (where alive), '{}') into alive from looked;
    return alive;
end
$$;
