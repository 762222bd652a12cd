-- Depth and age of every queue at this moment, the one that waits longest first.
select
    queue, queued, scheduled, retrying, active, workers,
    date_trunc('milliseconds', oldest_wait) as oldest_wait,
    date_trunc('milliseconds', longest_run) as longest_run
from pgqueue.queue_health
order by oldest_wait desc nulls last, queue;
