-- The seconds that this task waits after a failed attempt, by the nearest policy: its own, its type's, its queue's, or
-- the one for all. For those that fail only: each lookup is by primary key, and the nearest found ends the search.
create or replace function pgqueue.retry_delay(task_id uuid, type text, queue text, attempt int) returns float8
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
as $$
begin
    return backoff(
        coalesce(
            (select t.retry from task as t where t.id = retry_delay.task_id),
            (select k.retry from task_type as k where k.name = retry_delay.type),
            (select q.retry from queue as q where q.name = retry_delay.queue)
        ),
        retry_delay.attempt
    );
end
$$;
