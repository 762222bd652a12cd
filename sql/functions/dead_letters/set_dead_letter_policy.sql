-- Sets for a queue, or with '*' for all queues without a setting, how long dead letters are kept, how many an hour
-- are too many, and which type of task is enqueued when there are more. Null leaves a setting as it is.
create or replace function pgqueue.set_dead_letter_policy(
    queue text, retention interval default null, growth_limit int default null, alert_type text default null
) returns void
language sql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    insert into dead_letter_policy (queue)
    select set_dead_letter_policy.queue where set_dead_letter_policy.queue <> '*'
    on conflict do nothing;
    update dead_letter_policy as p set
        retention = coalesce(set_dead_letter_policy.retention, p.retention),
        growth_limit = coalesce(set_dead_letter_policy.growth_limit, p.growth_limit),
        alert_type = coalesce(set_dead_letter_policy.alert_type, p.alert_type)
    where p.queue = set_dead_letter_policy.queue
$$;

comment on function pgqueue.set_dead_letter_policy is
    'Sets how long the dead letters of a queue (*: of all queues without a setting) are kept, how many an hour are too '
    'many and what is enqueued then; null: leaves it.';
