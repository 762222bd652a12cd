-- Depth and age of each queue at this moment, and who works on it.
select * from pgqueue.queue_health order by queued desc, queue;
