-- Depth and age of each queue at this moment, with its settings. Counted live: exact, and the cost grows with the
-- backlog.
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

comment on view pgqueue.queue_health is
    'Depth and age of each queue, counted now: exact, but slower the longer the backlog is.';
comment on column pgqueue.queue_health.queue is 'The name of the queue.';
comment on column pgqueue.queue_health.queued is 'How many tasks may start.';
comment on column pgqueue.queue_health.scheduled is 'How many tasks wait for their time.';
comment on column pgqueue.queue_health.retrying is 'How many tasks wait for their next attempt.';
comment on column pgqueue.queue_health.blocked is
    'How many tasks wait for other tasks, or for room under the limit of their key.';
comment on column pgqueue.queue_health.active is 'How many tasks run now.';
comment on column pgqueue.queue_health.oldest_wait is
    'How long the queued task that has waited longest has waited; null: none is queued.';
comment on column pgqueue.queue_health.longest_run is
    'How long the active task that started first has run; null: none is active.';
comment on column pgqueue.queue_health.workers is 'How many workers take tasks from it.';
comment on column pgqueue.queue_health.max_attempts is
    'How many attempts its tasks get unless they or their type say otherwise; null: 3.';
comment on column pgqueue.queue_health.retry is
    'The retry policy of its tasks unless they or their type say otherwise; null: the default one.';
comment on column pgqueue.queue_health.ageing_s is
    'How many seconds of waiting raise a task by one step of priority; null: none do.';
comment on column pgqueue.queue_health.state is 'active, draining (paused, but some of its tasks still run) or paused.';
comment on column pgqueue.queue_health.paused_at is 'Since when it is paused; null: it is not.';
comment on column pgqueue.queue_health.paused_by is 'Who paused it; null: nobody did, or did not say.';
comment on column pgqueue.queue_health.paused_reason is 'Why it is paused; null: it is not, or no reason was given.';
