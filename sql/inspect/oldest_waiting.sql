-- The tasks that have waited longest to run, by queue and priority: the head of each.
select
    head.queue, head.priority, pgqueue.clock() - head.ready_at as waits, t.type, head.task_id, head.attempt, head.reason
from (select distinct queue, priority from pgqueue_private.ready) as pair
cross join lateral (
    select r.* from pgqueue_private.ready as r
    where r.queue = pair.queue and r.priority = pair.priority
    order by r.seq
    limit 5
) as head
join pgqueue_private.task as t on t.id = head.task_id
order by waits desc
limit 50;
