-- Depth and age of each queue at this moment, and how many workers serve it.
select * from pgqueue.queue_health order by queued desc, queue;
