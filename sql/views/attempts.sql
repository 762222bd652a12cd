-- Every start of a task, the one that runs now included (its outcome is null).
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

comment on view pgqueue.attempts is 'every start of a task and how it ended';
