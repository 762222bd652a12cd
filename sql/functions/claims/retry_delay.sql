-- The seconds that this task waits after a failed attempt, by the nearest policy: its own, its type's, its queue's, or
-- the one for all. For those that fail only: each lookup is by primary key, and the nearest found ends the search.
-- It is finish's, whose settings of the planner hold here, too: it is entered for each failure, and sets none itself.
create or replace function pgqueue_private.retry_delay(task_id uuid, type text, queue text, attempt int) returns float8
language plpgsql
as $$
begin
    return pgqueue_private.backoff(
        coalesce(
            (select t.retry from pgqueue_private.task as t where t.id = retry_delay.task_id),
            (select k.retry from pgqueue_private.task_type as k where k.name = retry_delay.type),
            (select q.retry from pgqueue_private.queue as q where q.name = retry_delay.queue)
        ),
        retry_delay.attempt
    );
end
$$;
