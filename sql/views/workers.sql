-- Every worker process, those that are gone included, with what it runs now.
create or replace view pgqueue.workers as
select
    w.id, w.host || ':' || w.pid as worker,
    case when w.state in ('active', 'draining') and w.expires_at < pgqueue.clock() then 'lost' else w.state end as state,
    w.supervisor, w.host, w.pid, w.version, w.queues, w.types, w.concurrency,
    (select count(*) from pgqueue_private.running as r where r.worker_id = w.id) as active,
    w.started_at, w.heartbeat_at, w.expires_at
from pgqueue_private.worker as w;

comment on view pgqueue.workers is 'every worker process and what it runs';
