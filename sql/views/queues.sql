-- Every queue with its depth when it was sampled last, and its settings (null: not set here; version counts their
-- changes).
create or replace view pgqueue.queues as
select
    q.name,
    coalesce(sum(s.n) filter (where s.status = 'queued'), 0)::bigint as queued,
    coalesce(sum(s.n) filter (where s.status = 'scheduled'), 0)::bigint as scheduled,
    coalesce(sum(s.n) filter (where s.status = 'retrying'), 0)::bigint as retrying,
    coalesce(sum(s.n) filter (where s.status = 'blocked'), 0)::bigint as blocked,
    coalesce(sum(s.n) filter (where s.status = 'active'), 0)::bigint as active,
    min(s.oldest_at) filter (where s.status = 'queued') as oldest_queued_at,
    (select k.sampled_at from pgqueue_private.sampling as k) as sampled_at,
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
        -- For a second after the pause, a claim may still be in progress.
        when rest.running > 0 or q.paused_at > pgqueue.clock() - interval '1 second' then 'draining'
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
    -- Counted now, for paused queues only: at 0, the pause is complete.
    select count(*) as running from pgqueue_private.running as r where q.paused_at is not null and r.queue = q.name
) as rest on true
group by q.name, rest.running;

comment on view pgqueue.queues is 'Every queue with its settings and its depth, sampled every few seconds.';
comment on column pgqueue.queues.name is 'The name of the queue.';
comment on column pgqueue.queues.queued is 'How many tasks may start, as sampled last.';
comment on column pgqueue.queues.scheduled is 'How many tasks wait for their time, as sampled last.';
comment on column pgqueue.queues.retrying is 'How many tasks wait for their next attempt, as sampled last.';
comment on column pgqueue.queues.blocked is
    'How many tasks wait for other tasks, or for room under the limit of their key, as sampled last.';
comment on column pgqueue.queues.active is 'How many tasks run, as sampled last.';
comment on column pgqueue.queues.oldest_queued_at is
    'Since when the queued task that has waited longest has waited, as sampled last; null: none is queued.';
comment on column pgqueue.queues.sampled_at is 'When these figures were sampled; null: not yet.';
comment on column pgqueue.queues.workers is 'How many workers take tasks from it now.';
comment on column pgqueue.queues.dead_letters is 'How many dead letters it has, as counted last.';
comment on column pgqueue.queues.created_at is 'When the first task or setting named it.';
comment on column pgqueue.queues.version is 'The version of its settings: each change adds one.';
comment on column pgqueue.queues.max_attempts is
    'How many attempts its tasks get unless they or their type say otherwise; null: 3.';
comment on column pgqueue.queues.retry is
    'The retry policy of its tasks unless they or their type say otherwise; null: the default one.';
comment on column pgqueue.queues.ageing_s is
    'How many seconds of waiting raise a task by one step of priority; null: none do.';
comment on column pgqueue.queues.concurrency is 'How much of it may run at once, in units of cost; null: no limit.';
comment on column pgqueue.queues.rate is
    'How much of it may start in a time, as [{count, per_seconds}], all of which apply; null: no limit.';
comment on column pgqueue.queues.per_key is
    'The limit of each limit_key in it, as {concurrency, rate}, unless the key has a limit of its own; null: none.';
comment on column pgqueue.queues.slowed_until is
    'Nothing starts before then, because a handler asked for it; null: nobody did.';
comment on column pgqueue.queues.slowed_reason is 'Why a handler asked for it; null: it gave no reason.';
comment on column pgqueue.queues.retention is
    'How long ended tasks and what belongs to them are kept, in seconds, as {tasks_s, events_s, artifacts_s, '
    'dead_letters_s}; null or left out: the default.';
comment on column pgqueue.queues.fairness is
    'How the keys of a fair queue take turns, as {weights: {key: starts in a turn}}; null: the queue is not fair.';
comment on column pgqueue.queues.state is 'active, draining (paused, but some of its tasks still run) or paused.';
comment on column pgqueue.queues.paused is 'Whether it is paused.';
comment on column pgqueue.queues.paused_at is 'Since when it is paused; null: it is not.';
comment on column pgqueue.queues.paused_by is 'Who paused it; null: nobody did, or did not say.';
comment on column pgqueue.queues.paused_reason is 'Why it is paused; null: it is not, or no reason was given.';
comment on column pgqueue.queues.still_running is
    'How many of its tasks still run, counted now; null: it is not paused.';
