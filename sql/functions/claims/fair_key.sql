-- Whose turn a task is part of in a fair queue: the fairness_key it was given, else its user; null where the queue is not fair.
create or replace function pgqueue_private.fair_key(queue text, task_id uuid) returns text
language sql stable
as $$
    select (select coalesce(t.fairness_key, t.user_id::text) from pgqueue_private.task as t where t.id = fair_key.task_id)
    from pgqueue_private.queue as q
    where q.name = fair_key.queue and q.fairness is not null
$$;
