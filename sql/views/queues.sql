-- Every queue with its depth as it was sampled last, and its settings (null: not set here; version counts their changes).
create view pgqueue.queues as
select
    q.name,
    coalesce(sum(s.n) filter (where s.status = 'queued'), 0)::bigint as queued,
    coalesce(sum(s.n) filter (where s.status = 'scheduled'), 0)::bigint as scheduled,
    coalesce(sum(s.n) filter (where s.status = 'retrying'), 0)::bigint as retrying,
    coalesce(sum(s.n) filter (where s.status = 'blocked'), 0)::bigint as blocked,
    coalesce(sum(s.n) filter (where s.status = 'active'), 0)::bigint as active,
    min(s.oldest_at) filter (where s.status = 'queued') as oldest_queued_at,
    max(s.sampled_at) as sampled_at,
    (
        select count(*) from pgqueue.worker as w
        where w.state = 'active' and w.expires_at > pgqueue.clock() and (w.queues = '{}' or q.name = any (w.queues))
    ) as workers,
    coalesce((select l.n from pgqueue.dead_letter_level as l where l.queue = q.name), 0) as dead_letters,
    q.created_at,
    q.version,
    q.max_attempts,
    q.retry,
    q.ageing_s,
    q.concurrency,
    q.rate,
    q.paused_at is not null as paused,
    q.paused_at,
    q.paused_by,
    q.paused_reason
from pgqueue.queue as q
left join pgqueue.queue_sample as s on s.queue = q.name
group by q.name;

comment on view pgqueue.queues is 'every queue with its depth, sampled every few seconds';
