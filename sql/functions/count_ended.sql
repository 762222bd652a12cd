-- Counts tasks that just ended in their batches, and returns these. Called in the transaction that ended them, once for each.
create or replace function pgqueue.count_ended(task_ids uuid[], outcomes text[]) returns uuid[]
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_nestloop = on  -- finish() sets it off for itself and whom it calls
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
as $$
#variable_conflict use_column
declare
    batches uuid[];
begin
    with ended as (
        select t.batch_id, e.outcome
        from unnest(task_ids, outcomes) as e (id, outcome)
        cross join lateral (select f.batch_id from task as f where f.id = e.id limit 1) as t
        where t.batch_id is not null
    ),
    counted as (
        insert into batch_delta (batch_id, completed, failed, cancelled)
        select
            batch_id, count(*) filter (where outcome = 'completed'),
            count(*) filter (where outcome not in ('completed', 'cancelled')), count(*) filter (where outcome = 'cancelled')
        from ended
        group by batch_id
        returning batch_id
    )
    select coalesce(array_agg(batch_id), '{}') into batches from counted;
    return batches;
end
$$;
