-- Every batch with its exact counts at this moment. status: open (more may be added), running, and when everything in
-- it has ended, its outcome. percent: how much of its tasks and of the batches inside it has ended.
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

comment on view pgqueue.batches is 'Every batch with its exact counts at this moment.';
comment on column pgqueue.batches.id is 'The batch''s id.';
comment on column pgqueue.batches.name is 'The name that its creator gave it; need not be unique.';
comment on column pgqueue.batches.status is
    'open (more may be added), running, or once everything in it has ended, its outcome: completed, failed or cancelled.';
comment on column pgqueue.batches.metadata is 'What its creator stored with it.';
comment on column pgqueue.batches.parent_id is 'The batch that this one is part of; null: none.';
comment on column pgqueue.batches.total is 'How many tasks it has.';
comment on column pgqueue.batches.waiting is 'How many of these have not started, or wait for another attempt.';
comment on column pgqueue.batches.active is 'How many of these run now.';
comment on column pgqueue.batches.completed is 'How many of these have completed.';
comment on column pgqueue.batches.failed is 'How many of these have failed.';
comment on column pgqueue.batches.cancelled is 'How many of these were cancelled.';
comment on column pgqueue.batches.batches is 'How many batches are directly inside it.';
comment on column pgqueue.batches.batches_ended is 'How many of these have ended.';
comment on column pgqueue.batches.batches_failed is 'How many of these have ended without completing.';
comment on column pgqueue.batches.percent is 'How much of its tasks and batches has ended, from 0 to 100.';
comment on column pgqueue.batches.on_success is 'The task to enqueue when everything in it has completed; null: none.';
comment on column pgqueue.batches.on_failure is 'The task to enqueue when it has ended otherwise; null: none.';
comment on column pgqueue.batches.on_complete is 'The task to enqueue when it has ended either way; null: none.';
comment on column pgqueue.batches.success_task_id is 'The task that on_success became; null: not yet, or none.';
comment on column pgqueue.batches.failure_task_id is 'The task that on_failure became; null: not yet, or none.';
comment on column pgqueue.batches.complete_task_id is 'The task that on_complete became; null: not yet, or none.';
comment on column pgqueue.batches.callback_url is 'The URL that gets a signed POST when it ends; null: none.';
comment on column pgqueue.batches.created_at is 'When it was created.';
comment on column pgqueue.batches.closed_at is 'Since when nothing can be added; null: it is open.';
comment on column pgqueue.batches.cancelled_at is 'When somebody cancelled the whole batch; null: nobody did.';
comment on column pgqueue.batches.ended_at is 'When everything in it had ended; null until then.';
