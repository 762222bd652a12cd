-- How long dead letters are kept, and how many an hour are too many; null in a queue's row: what '*' says.
create or replace view pgqueue.dead_letter_policies as
select p.queue, p.retention, p.growth_limit, p.alert_type from pgqueue_private.dead_letter_policy as p;

comment on view pgqueue.dead_letter_policies is 'how long dead letters are kept and how many are too many';
