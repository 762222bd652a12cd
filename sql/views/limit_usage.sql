-- Every limit and how much of it is used: a row for each concurrency and each rate, of queues (limit_key null), of
-- keys in a queue that are in use, and of limits by their name (queue null). allowed and used are in units of cost.
-- next_free_at: the time at which a rate allows its next start, or at which a concurrency's next slot is free at the
-- latest, by the time limits of the running tasks; null: there is room, or the time is unknown.
-- waiting: for a queue, the tasks that were queued in it when it was sampled last; otherwise, the tasks that wait for
-- the key.
create or replace view pgqueue.limit_usage as
select
    s.kind, l.queue, l.limit_key, s.allowed, s.per_seconds, s.smooth, s.used, greatest(0, s.allowed - s.used) as free, s.next_free_at,
    coalesce(case
        when l.limit_key is null then (
            select q.n from pgqueue_private.queue_sample as q where q.queue = l.queue and q.status = 'queued'
        )
        else (
            select count(*) from pgqueue_private.delayed as d where d.limit_key = l.limit_key and (l.queue is null or d.queue = l.queue)
        )
    end, 0) as waiting,
    l.slowed_until, l.slowed_reason
from (
    select q.name as queue, null::text as limit_key, q.concurrency, q.rate, q.slowed_until, q.slowed_reason
    from pgqueue_private.queue as q
    where q.concurrency is not null or q.rate is not null
    union all
    select k.queue, k.limit_key, (q.per_key ->> 'concurrency')::int, q.per_key -> 'rate', slowed.slowed_until, slowed.slowed_reason
    from (
        select r.queue, r.limit_key from pgqueue_private.running as r where r.limit_key is not null
        union
        select d.queue, d.limit_key from pgqueue_private.delayed as d where d.limit_key is not null
        union
        select u.queue, u.limit_key from pgqueue_private.limit_use as u where u.queue <> '' and u.limit_key <> ''
    ) as k
    join pgqueue_private.queue as q on q.name = k.queue and q.per_key is not null
    left join pgqueue_private.key_slowed as slowed on slowed.queue = k.queue and slowed.limit_key = k.limit_key
    where not exists (select from pgqueue_private.key_limit as n where n.name = k.limit_key)
    union all
    select null, n.name, n.concurrency, n.rate, n.slowed_until, n.slowed_reason from pgqueue_private.key_limit as n
) as l
cross join lateral pgqueue_private.limit_state(coalesce(l.queue, ''), coalesce(l.limit_key, ''), l.concurrency, l.rate) as s;

comment on view pgqueue.limit_usage is
    'Every limit and how much of it is used: a row for each concurrency and for each rate.';
comment on column pgqueue.limit_usage.kind is 'concurrency or rate.';
comment on column pgqueue.limit_usage.queue is
    'The queue that it limits; null: it applies to a key in all queues.';
comment on column pgqueue.limit_usage.limit_key is 'The key that it limits; null: it applies to the whole queue.';
comment on column pgqueue.limit_usage.allowed is
    'How much may run at once, or start within per_seconds, in units of cost.';
comment on column pgqueue.limit_usage.per_seconds is 'The window of a rate, in seconds; null for a concurrency.';
comment on column pgqueue.limit_usage.smooth is
    'Whether the starts of a rate are spread evenly; null for a concurrency.';
comment on column pgqueue.limit_usage.used is 'How much of allowed is used, in units of cost.';
comment on column pgqueue.limit_usage.free is 'How much may start now, in units of cost.';
comment on column pgqueue.limit_usage.next_free_at is
    'When the next may start (of a concurrency, at the latest, by the timeouts of the running tasks); null: now, or '
    'unknown.';
comment on column pgqueue.limit_usage.waiting is
    'How many tasks wait: for a whole queue those that were queued when it was sampled last, for a key those that wait '
    'for it.';
comment on column pgqueue.limit_usage.slowed_until is
    'Nothing starts before then, because a handler asked for it; null: nobody did.';
comment on column pgqueue.limit_usage.slowed_reason is 'Why a handler asked for it; null: it gave no reason.';
