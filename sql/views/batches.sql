-- Every batch with its counts at this moment. status: open (more may be added), running, and when all has ended, its outcome. percent:
-- how much of its tasks and of the batches in it has ended.
create or replace view pgqueue.batches as
select
    b.id,
    b.name,
    case when b.closed_at is null then 'open' when b.ended_at is null then 'running' else b.outcome end as status,
    b.metadata,
    b.parent_id,
    n.total,
    n.total - n.completed - n.failed - n.cancelled - r.active as waiting,
    r.active,
    n.completed,
    n.failed,
    n.cancelled,
    n.batches,
    n.batches_ended,
    n.batches_failed,
    case
        when b.ended_at is not null then 100
        when n.total + n.batches > 0 then round(
            (100.0 * (n.completed + n.failed + n.cancelled + n.batches_ended) / (n.total + n.batches)), 1
        )
        else 0
    end::float8 as percent,
    b.on_success,
    b.on_failure,
    b.on_complete,
    b.success_task_id,
    b.failure_task_id,
    b.complete_task_id,
    b.callback_url,
    b.created_at,
    b.closed_at,
    b.cancelled_at,
    b.ended_at
from pgqueue_private.batch as b
cross join lateral pgqueue_private.batch_counts(b.id) as n
cross join lateral (select count(*) as active from pgqueue_private.running as r where r.batch_id = b.id) as r;

comment on view pgqueue.batches is 'every batch with its counts now';
