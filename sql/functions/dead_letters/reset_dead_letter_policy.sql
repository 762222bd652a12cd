-- Removes the policy of a queue, so that the policy for all queues applies to it again; for '*', restores the
-- default: 30 days, 1,000 an hour, no alert.
create or replace function pgqueue.reset_dead_letter_policy(queue text) returns void
language sql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    delete from dead_letter_policy as p where p.queue = reset_dead_letter_policy.queue and p.queue <> '*';
    update dead_letter_policy as p set retention = '30 days', growth_limit = 1000, alert_type = null
    where p.queue = '*' and reset_dead_letter_policy.queue = '*'
$$;

comment on function pgqueue.reset_dead_letter_policy is
    'Lets a queue follow the policy for dead letters of all queues again; *: sets that back to 30 days and 1,000 an '
    'hour.';
