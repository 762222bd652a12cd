-- Tells tasks that wait for these that they have ended. A task that waits for nothing more is released; one that
-- cannot run any more ends too, and so on down the graph. Returns the batches of the tasks that ended.
-- After 5,000 of these, leaves the rest to maintenance (follow_later), so that no transaction grows without bound.
create or replace function pgqueue_private.follow_dependents(task_ids uuid[], outcomes text[]) returns uuid[]
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    max_tasks constant int := 5000;
    ended record;
    n int := 0;
    batches uuid[] := '{}';
begin
    loop
        select * into ended from settle_dependents(task_ids, outcomes);
        exit when ended.ids is null;
        batches := batches || count_ended(ended.ids, ended.ended_as);
        task_ids := ended.ids;
        outcomes := ended.ended_as;
        n := n + cardinality(task_ids);
        if n >= max_tasks then
            insert into follow_later (task_id, outcome)
            select e.id, e.outcome from unnest(task_ids, outcomes) as e (id, outcome)
            where (select b.child_id from blocker as b where b.parent_id = e.id limit 1) is not null;
            exit;
        end if;
    end loop;
    return batches;
end
$$;
