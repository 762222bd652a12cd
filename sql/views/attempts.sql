-- Every start of a task, including the one that runs now (its outcome is null).
create or replace view pgqueue.attempts as
select
    a.task_id, a.lease_id, a.attempt, a.outcome, a.error, a.result, a.started_at, a.finished_at,
    w.host || ':' || w.pid as worker, a.worker_id, a.final, a.progress
from pgqueue_private.attempt as a
left join pgqueue_private.worker as w on w.id = a.worker_id
where a.started_at is not null
union all
select
    r.task_id, r.lease_id, r.attempt, null, null, null, r.started_at, null,
    w.host || ':' || w.pid, r.worker_id, false, r.progress
from pgqueue_private.running as r
left join pgqueue_private.worker as w on w.id = r.worker_id;

comment on view pgqueue.attempts is 'Every start of a task and how it ended, including the attempts that run now.';
comment on column pgqueue.attempts.task_id is 'The task.';
comment on column pgqueue.attempts.lease_id is
    'The right to run this attempt: grows with each start, over all tasks, and is never reused.';
comment on column pgqueue.attempts.attempt is
    'The number of the attempt, from 1; an attempt that was released or snoozed does not count.';
comment on column pgqueue.attempts.outcome is
    'completed, failed, timed_out, crashed, cancelled, released or snoozed; null while it runs.';
comment on column pgqueue.attempts.error is 'Why it failed, as {type, message, traceback}; null if it did not.';
comment on column pgqueue.attempts.result is 'What the handler returned; null if it did not complete.';
comment on column pgqueue.attempts.started_at is 'When it started.';
comment on column pgqueue.attempts.finished_at is 'When it ended; null while it runs.';
comment on column pgqueue.attempts.worker is
    'The host and the pid of the process that ran it, as host:pid; null: the worker is no longer known.';
comment on column pgqueue.attempts.worker_id is 'The id of that worker in pgqueue.workers.';
comment on column pgqueue.attempts.final is 'Whether it ended the task.';
comment on column pgqueue.attempts.progress is
    'What the handler reported last, as {percent, message, at}; null if it reported nothing.';
