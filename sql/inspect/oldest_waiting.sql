-- The tasks that could run and have waited longest for a worker; with none below, nothing waits.
with waiting as (
    select task_id, queue, priority, attempt, ready_at as since from pgqueue.ready
    union all
    select task_id, queue, priority, attempt, run_at from pgqueue.delayed where run_at <= pgqueue.clock()
)
select
    date_trunc('milliseconds', pgqueue.clock() - w.since) as waits,
    w.queue, w.priority, t.type, w.attempt as attempts, w.task_id as id, left(t.payload::text, 60) as payload
from waiting as w
inner join pgqueue.task as t on t.id = w.task_id
order by w.since
limit 20;
