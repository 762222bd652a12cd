-- Every task that failed for good and was not run again since, whether its day is still there or not.
create or replace view pgqueue.dead_letters as
select
    d.task_id as id, d.type, d.queue, d.outcome, d.error, d.fingerprint, d.payload,
    (d.options ->> 'priority')::smallint as priority, d.attempt, (d.options ->> 'max_attempts')::smallint as max_attempts,
    d.crash_count, (d.options ->> 'timeout_s')::real as timeout_s, nullif(d.options -> 'retry', 'null') as retry,
    d.created_at, d.failed_at, d.user_id, d.options ->> 'traceparent' as traceparent
from pgqueue_private.dead_letter as d;

comment on view pgqueue.dead_letters is 'tasks that failed for good';
