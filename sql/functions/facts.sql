-- The tables of facts, each partitioned by the task's id, a day a partition: made and pruned together, in this order.
create or replace function pgqueue.facts() returns text[]
language sql immutable parallel safe
as $$ select array['task', 'attempt', 'task_event', 'artifact', 'checkpoint'] $$;
