-- What handlers logged (type log) and streamed (type text), by task, lease and the lease's own counter.
create or replace view pgqueue.events as
select e.task_id, e.lease_id, e.seq, e.at, e.type, e.level, e.message, e.data
from pgqueue_private.task_event as e;

comment on view pgqueue.events is 'What handlers logged and streamed.';
comment on column pgqueue.events.task_id is 'The task.';
comment on column pgqueue.events.lease_id is 'The lease of the attempt that wrote it.';
comment on column pgqueue.events.seq is 'Its number within the attempt, from 1.';
comment on column pgqueue.events.at is 'When the handler wrote it.';
comment on column pgqueue.events.type is 'log: a line of the log; text: a piece of streamed text.';
comment on column pgqueue.events.level is 'debug, info, warning or error.';
comment on column pgqueue.events.message is 'The line, or the piece of text.';
comment on column pgqueue.events.data is 'What was logged with it; null: nothing.';
