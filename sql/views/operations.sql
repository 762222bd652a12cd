-- What was done, or is being done, to many tasks at once.
create or replace view pgqueue.operations as
select
    o.id, o.kind, o.state, o.filter, o.per_second, o.matched, o.matched_exact, o.done, o.skipped, o.requested_by, o.reason,
    o.error, o.created_at, o.started_at, o.finished_at
from pgqueue_private.operation as o;

comment on view pgqueue.operations is 'what was done to many tasks at once, by whom and why';
