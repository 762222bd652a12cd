-- How long dead letters are kept, and how many an hour are too many. Null in a queue's row: the value of '*' applies.
create or replace view pgqueue.dead_letter_policies as
select p.queue, p.retention, p.growth_limit, p.alert_type from pgqueue_private.dead_letter_policy as p;

comment on view pgqueue.dead_letter_policies is 'How long dead letters are kept and how many are too many, by queue.';
comment on column pgqueue.dead_letter_policies.queue is 'The queue; *: every queue without a setting of its own.';
comment on column pgqueue.dead_letter_policies.retention is 'How long dead letters are kept; null: the value of *.';
comment on column pgqueue.dead_letter_policies.growth_limit is
    'How many new ones in an hour are too many; null: the value of *.';
comment on column pgqueue.dead_letter_policies.alert_type is
    'The type of the task that is enqueued when there are too many; null: the value of *, and in * itself: none.';
