-- Every worker process, including those that are gone, with what it runs now.
create or replace view pgqueue.workers as
select
    w.id, w.host || ':' || w.pid as worker,
    case when w.state in ('active', 'draining') and w.expires_at < pgqueue.clock() then 'lost' else w.state end as state,
    w.supervisor, w.host, w.pid, w.version, w.queues, w.types, w.concurrency,
    (select count(*) from pgqueue_private.running as r where r.worker_id = w.id) as active,
    w.started_at, w.heartbeat_at, w.expires_at
from pgqueue_private.worker as w;

comment on view pgqueue.workers is 'Every worker process, including those that are gone, and what it runs.';
comment on column pgqueue.workers.id is 'The worker''s id.';
comment on column pgqueue.workers.worker is 'Its host and pid, as host:pid.';
comment on column pgqueue.workers.state is
    'active, draining, stopped, or lost: it was not heard of for as long as its leases last.';
comment on column pgqueue.workers.supervisor is 'The supervisor that started it, as host:pid.';
comment on column pgqueue.workers.host is 'The name of its machine.';
comment on column pgqueue.workers.pid is 'Its process id.';
comment on column pgqueue.workers.version is 'The version of pgqueue that it runs.';
comment on column pgqueue.workers.queues is 'The queues that it takes tasks from; empty: all.';
comment on column pgqueue.workers.types is 'The types of tasks that it knows.';
comment on column pgqueue.workers.concurrency is 'How many tasks it runs at once.';
comment on column pgqueue.workers.active is 'How many tasks it runs now.';
comment on column pgqueue.workers.started_at is 'When it started.';
comment on column pgqueue.workers.heartbeat_at is 'When it was heard of last.';
comment on column pgqueue.workers.expires_at is 'Its leases hold until then unless it is heard of again.';
