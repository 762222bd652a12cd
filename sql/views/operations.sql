-- What was done, or is being done, to many tasks at once.
create or replace view pgqueue.operations as
select
    o.id, o.kind, o.state, o.filter, o.per_second, o.matched, o.matched_exact, o.done, o.skipped, o.requested_by, o.reason,
    o.error, o.created_at, o.started_at, o.finished_at
from pgqueue_private.operation as o;

comment on view pgqueue.operations is 'What was done, or is being done, to many tasks at once, by whom and why.';
comment on column pgqueue.operations.id is 'The operation''s id.';
comment on column pgqueue.operations.kind is 'redrive or delete (of dead letters), cancel or retry (of tasks).';
comment on column pgqueue.operations.state is 'queued, running, completed, cancelled or failed.';
comment on column pgqueue.operations.filter is 'Which tasks it works on.';
comment on column pgqueue.operations.per_second is 'How many tasks a second it works on at most.';
comment on column pgqueue.operations.matched is 'How many tasks the filter matched when it was started; at least done.';
comment on column pgqueue.operations.matched_exact is 'Whether matched was counted; if not, it is an estimate.';
comment on column pgqueue.operations.done is 'How many tasks it has worked on.';
comment on column pgqueue.operations.skipped is
    'How many tasks it left alone, because they were no longer what the filter says.';
comment on column pgqueue.operations.requested_by is 'Who started it.';
comment on column pgqueue.operations.reason is 'Why; null: no reason was given.';
comment on column pgqueue.operations.error is 'Why it failed, or why its last part failed; null: nothing failed.';
comment on column pgqueue.operations.created_at is 'When it was started by somebody.';
comment on column pgqueue.operations.started_at is 'When its first part ran; null: not yet.';
comment on column pgqueue.operations.finished_at is 'When it ended; null until then.';
