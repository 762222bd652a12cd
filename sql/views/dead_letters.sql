-- Every task that failed for good and was not run again since, whether its day is still stored or not.
create or replace view pgqueue.dead_letters as
select
    d.task_id as id, d.type, d.queue, d.outcome, d.error, d.fingerprint, d.payload,
    (d.options ->> 'priority')::smallint as priority, d.attempt, (d.options ->> 'max_attempts')::smallint as max_attempts,
    d.crash_count, (d.options ->> 'timeout_s')::real as timeout_s, nullif(d.options -> 'retry', 'null') as retry,
    d.created_at, d.failed_at, d.user_id, d.options ->> 'traceparent' as traceparent
from pgqueue_private.dead_letter as d;

comment on view pgqueue.dead_letters is 'Every task that failed for good and was not run again since.';
comment on column pgqueue.dead_letters.id is 'The task''s id.';
comment on column pgqueue.dead_letters.type is 'Which handler ran it.';
comment on column pgqueue.dead_letters.queue is 'The queue that it was in.';
comment on column pgqueue.dead_letters.outcome is 'How its last attempt ended: failed, timed_out or crashed.';
comment on column pgqueue.dead_letters.error is
    'Why it failed, as {type, message, traceback}; null if nothing is known.';
comment on column pgqueue.dead_letters.fingerprint is
    'The same for failures of one kind: one type, one class of error, one message apart from numbers and the like.';
comment on column pgqueue.dead_letters.payload is 'What the handler got.';
comment on column pgqueue.dead_letters.priority is '0 (first) to 10 (last).';
comment on column pgqueue.dead_letters.attempt is 'How many attempts had started.';
comment on column pgqueue.dead_letters.max_attempts is 'How many attempts it had.';
comment on column pgqueue.dead_letters.crash_count is 'How often the process that ran it died.';
comment on column pgqueue.dead_letters.timeout_s is
    'How many seconds an attempt may take; null: as long as its type says.';
comment on column pgqueue.dead_letters.retry is 'Its own retry policy; null: that of its type or queue.';
comment on column pgqueue.dead_letters.created_at is 'When it was enqueued.';
comment on column pgqueue.dead_letters.failed_at is 'When it failed for good.';
comment on column pgqueue.dead_letters.user_id is 'The user who submitted it over HTTP; 0: nobody who is known.';
comment on column pgqueue.dead_letters.traceparent is 'The W3C trace context that it was enqueued with; null: none.';
