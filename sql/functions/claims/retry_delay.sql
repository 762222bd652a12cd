-- The seconds that this task waits after a failed attempt, by the nearest policy: its own, its type's, its queue's,
-- or the default. Runs for failed attempts only: each lookup is by primary key, and the first policy found ends the
-- search.
-- Part of finish(), whose planner settings hold here, too. It is called for each failure, so it sets none itself.
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
