-- What pgqueue.testing calls.

-- name: advance_clock
select pgqueue_private.shift_clock(pgqueue.clock() - clock_timestamp() + make_interval(secs => %(seconds)s))::text as shifted;

-- name: next_due
-- Leave out tasks that no worker here could run: they would stay for ever.
select extract(epoch from min(run_at) - pgqueue.clock())::float8 as due_s
from pgqueue_private.delayed
where run_at < 'infinity' and queue <> 'pgqueue.webhooks' and type = any (%(types)s::text[])
    and (%(queues)s::text[] is null or queue = any (%(queues)s));

-- name: outcomes_of_worker
select outcome, count(*) as n from pgqueue_private.attempt where worker_id = %(worker)s group by outcome;

-- name: stored_tasks
select * from pgqueue.tasks order by id limit 10000;
