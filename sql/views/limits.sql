-- Every limit of a key, by its name: it applies to the tasks with this limit_key in all queues together.
create or replace view pgqueue.limits as
select l.name, l.concurrency, l.rate, l.slowed_until, l.slowed_reason, l.version, l.created_at from pgqueue_private.key_limit as l;

comment on view pgqueue.limits is 'Every limit that applies to a key in all queues together.';
comment on column pgqueue.limits.name is 'The limit_key of the tasks that it applies to.';
comment on column pgqueue.limits.concurrency is 'How much may run at once, in units of cost; null: no limit.';
comment on column pgqueue.limits.rate is
    'How much may start in a time, as [{count, per_seconds}], all of which apply; null: no limit.';
comment on column pgqueue.limits.slowed_until is
    'Nothing starts before then, because a handler asked for it; null: nobody did.';
comment on column pgqueue.limits.slowed_reason is 'Why a handler asked for it; null: it gave no reason.';
comment on column pgqueue.limits.version is 'The version of its settings: each change adds one.';
comment on column pgqueue.limits.created_at is 'When it was created.';
