-- True when nothing is runnable, running or due in these queues (null: in any). What is delayed into the future does not count.
create or replace function pgqueue.queues_empty(queues text[] default null) returns boolean
language sql stable
as $$
    select not exists (select from pgqueue.ready as r where queues is null or r.queue = any (queues))
        and not exists (select from pgqueue.running as r where queues is null or r.queue = any (queues))
        and not exists (
            select from pgqueue.delayed as d
            where d.run_at <= pgqueue.clock() and (queues is null or d.queue = any (queues))
        )
$$;
