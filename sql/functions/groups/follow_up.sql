-- Continues a large wave of ends: tells the tasks that wait for these that they have ended, a part at a time. Any
-- number of callers may do it at once. Returns how many tasks it processed: see follow_dependents().
create or replace function pgqueue_private.follow_up() returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    part record;
    batches uuid[];
begin
    with taken as (
        select l.task_id from follow_later as l order by l.task_id limit 1000 for update skip locked
    ),
    gone as (
        delete from follow_later as l where l.task_id = any (array(select task_id from taken)) returning l.*
    )
    select array_agg(task_id) as ids, array_agg(outcome) as outcomes into part from gone;
    if part.ids is null then
        return 0;
    end if;
    batches := follow_dependents(part.ids, part.outcomes);
    if cardinality(batches) > 0 then
        perform end_batches(batches);
    end if;
    return cardinality(part.ids);
end
$$;
