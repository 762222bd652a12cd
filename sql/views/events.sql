-- What handlers logged (type log) and streamed (type text), by task, lease and the lease's own counter.
create or replace view pgqueue.events as
select e.task_id, e.lease_id, e.seq, e.at, e.type, e.level, e.message, e.data
from pgqueue_private.task_event as e;

comment on view pgqueue.events is 'what handlers logged and streamed';
