-- The tables of facts. Each is partitioned by the id of its task, which is in the column key, with one partition a
-- day; the partitions of a day are created and pruned together. The tasks come first.
create or replace function pgqueue_private.facts() returns table (name text, key text)
language sql immutable parallel safe
as $$
    values
        ('task', 'id'), ('attempt', 'task_id'), ('task_event', 'task_id'), ('artifact', 'task_id'), ('checkpoint', 'task_id'),
        ('dependency', 'child_id')
$$;
