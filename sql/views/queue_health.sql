-- Depth and age of each queue at this moment, counted live: exact, and as dear as the backlog is long. Beside it, its settings.
create or replace view pgqueue.queue_health as
with token as (
    select queue, 'queued' as status, ready_at as since from pgqueue_private.ready
    union all
    select queue, status, run_at from pgqueue_private.delayed
    union all
    select queue, 'active', started_at from pgqueue_private.running
)
select
    q.name as queue,
    count(*) filter (where t.status = 'queued') as queued,
    count(*) filter (where t.status = 'scheduled') as scheduled,
    count(*) filter (where t.status = 'retrying') as retrying,
    count(*) filter (where t.status = 'blocked') as blocked,
    count(*) filter (where t.status = 'active') as active,
    pgqueue.clock() - min(t.since) filter (where t.status = 'queued') as oldest_wait,
    pgqueue.clock() - min(t.since) filter (where t.status = 'active') as longest_run,
    (
        select count(*) from pgqueue_private.worker as w
        where w.state = 'active' and w.expires_at > pgqueue.clock() and (w.queues = '{}' or q.name = any (w.queues))
    ) as workers,
    s.max_attempts,
    s.retry,
    s.ageing_s,
    case
        when s.paused_at is null then 'active'
        when count(*) filter (where t.status = 'active') > 0 or s.paused_at > pgqueue.clock() - interval '1 second' then 'draining'
        else 'paused'
    end as state,
    s.paused_at,
    s.paused_by,
    s.paused_reason
from (select name from pgqueue_private.queue union select queue from token) as q
left join pgqueue_private.queue as s on s.name = q.name
left join token as t on t.queue = q.name
group by q.name, s.name;

comment on view pgqueue.queue_health is 'depth and age of each queue, live';
