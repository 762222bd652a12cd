-- Sets the given settings of a queue and leaves the rest; creates the queue if there is none of this name. select
-- pgqueue.set_queue('email', max_attempts => 5); to remove a setting: pgqueue.patch_queue('email', '{"retry":
-- null}').
create or replace function pgqueue.set_queue(
    name text, max_attempts int default null, retry jsonb default null, ageing_s float8 default null,
    concurrency int default null, rate jsonb default null, fairness jsonb default null,
    retention jsonb default null, per_key jsonb default null
) returns void
language sql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
set extra_float_digits = 1  -- seconds pass through JSON, which a caller's setting would round
as $$
    select pgqueue.patch_queue(set_queue.name, coalesce(jsonb_object_agg(given.key, given.value), '{}'))
    from jsonb_each(jsonb_build_object(
        'max_attempts', set_queue.max_attempts, 'retry', set_queue.retry, 'ageing_s', set_queue.ageing_s,
        'concurrency', set_queue.concurrency, 'rate', set_queue.rate, 'fairness', set_queue.fairness,
        'retention', set_queue.retention, 'per_key', set_queue.per_key
    )) as given
    where given.value <> 'null'
$$;

comment on function pgqueue.set_queue is
    'Sets the given settings of a queue and leaves the rest (null); creates the queue if there is none of '
    'this name.';
