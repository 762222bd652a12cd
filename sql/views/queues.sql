-- Every queue with its depth as it was sampled last, and its settings (null: not set here; version counts their changes).
create or replace view pgqueue.queues as
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
        select count(*) from pgqueue_private.worker as w
        where w.state = 'active' and w.expires_at > pgqueue.clock() and (w.queues = '{}' or q.name = any (w.queues))
    ) as workers,
    coalesce((select l.n from pgqueue_private.dead_letter_level as l where l.queue = q.name), 0) as dead_letters,
    q.created_at,
    q.version,
    q.max_attempts,
    q.retry,
    q.ageing_s,
    q.concurrency,
    q.rate,
    q.per_key,
    q.slowed_until,
    q.slowed_reason,
    nullif(
        coalesce(q.retention, '{}') || coalesce((
            select jsonb_build_object('dead_letters_s', extract(epoch from p.retention)::float8)
            from pgqueue_private.dead_letter_policy as p
            where p.queue = q.name and p.retention is not null
        ), '{}'),
        '{}'
    ) as retention,
    q.fairness,
    case
        when q.paused_at is null then 'active'
        when rest.running > 0 or q.paused_at > pgqueue.clock() - interval '1 second' then 'draining'  -- a claim may be on its way
        else 'paused'
    end as state,
    q.paused_at is not null as paused,
    q.paused_at,
    q.paused_by,
    q.paused_reason,
    case when q.paused_at is not null then rest.running end as still_running
from pgqueue_private.queue as q
left join pgqueue_private.queue_sample as s on s.queue = q.name
left join lateral (
    -- counted now, of a paused queue only: when it is none, the queue has come to rest
    select count(*) as running from pgqueue_private.running as r where q.paused_at is not null and r.queue = q.name
) as rest on true
group by q.name, rest.running;

comment on view pgqueue.queues is 'every queue with its depth, sampled every few seconds';
