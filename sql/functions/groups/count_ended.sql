-- Counts tasks that just ended in their batches, and returns these batches; notifies the callback_url of the tasks
-- that have one. Call it once for each task, in the transaction that ended it.
create or replace function pgqueue_private.count_ended(task_ids uuid[], outcomes text[]) returns uuid[]
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    batches uuid[];
    called uuid[];
begin
    with ended as (
        select e.id, t.batch_id, t.callback_url, e.outcome
        from unnest(task_ids, outcomes) as e (id, outcome)
        cross join lateral (select f.batch_id, f.callback_url from task as f where f.id = e.id limit 1) as t
        where t.batch_id is not null or t.callback_url is not null
    ),
    counted as (
        insert into batch_delta (batch_id, completed, failed, cancelled)
        select
            batch_id, count(*) filter (where outcome = 'completed'),
            count(*) filter (where outcome not in ('completed', 'cancelled')), count(*) filter (where outcome = 'cancelled')
        from ended
        where batch_id is not null
        group by batch_id
        returning batch_id
    )
    select
        coalesce((select array_agg(batch_id) from counted), '{}'),
        (select array_agg(id) from ended where callback_url is not null)
    into batches, called;
    if called is not null then
        perform tell_of_tasks(called, callbacks => true);
    end if;
    return batches;
end
$$;
