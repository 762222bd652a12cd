-- Sets the given values of the limit of all tasks with this limit_key and leaves the rest; creates the limit if there
-- is none of this name.
-- select pgqueue.set_limit('acme', concurrency => 5); to remove one: pgqueue.patch_limit('acme', '{"rate": null}').
create or replace function pgqueue.set_limit(name text, concurrency int default null, rate jsonb default null) returns void
language sql
as $$
    select pgqueue.patch_limit(
        set_limit.name, jsonb_strip_nulls(jsonb_build_object('concurrency', set_limit.concurrency, 'rate', set_limit.rate))
    )
$$;

comment on function pgqueue.set_limit is
    'Sets the given values of the limit of a key in all queues and leaves the rest (null); creates the limit if there '
    'is none of this name.';
