-- Every limit of a key by its name: it holds for the tasks with this limit_key in all queues together.
create or replace view pgqueue.limits as
select l.name, l.concurrency, l.rate, l.slowed_until, l.slowed_reason, l.version, l.created_at from pgqueue_private.key_limit as l;

comment on view pgqueue.limits is 'limits of keys, by name';
