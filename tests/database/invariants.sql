-- What must hold at any moment between two transitions: a row for each rule that a task breaks. None is right.
with place as (
    select
        t.id, t.seq, t.max_attempts,
        coalesce(waits.n, 0) as ready, coalesce(later.n, 0) as delayed, coalesce(runs.n, 0) as running,
        last.final, last.outcome, last.lease_id
    from pgqueue.task as t
    left join (select task_id, count(*) as n from pgqueue.ready group by task_id) as waits on waits.task_id = t.id
    left join (select task_id, count(*) as n from pgqueue.delayed group by task_id) as later on later.task_id = t.id
    left join (select task_id, count(*) as n from pgqueue.running group by task_id) as runs on runs.task_id = t.id
    left join lateral (
        select a.* from pgqueue.attempt as a where a.task_id = t.id order by a.lease_id desc limit 1
    ) as last on true
),
token as (
    select task_id, attempt, budget, crashes from pgqueue.ready
    union all
    select task_id, attempt, budget, crashes from pgqueue.delayed
    union all
    select task_id, attempt - 1, budget, crashes from pgqueue.running
),
ended as (
    select outcome, count(*) as n from place where ready + delayed + running = 0 group by outcome
),
tried as (
    select outcome, count(*) as n from pgqueue.attempt where not final group by outcome
),
counted as (
    select outcome, final, sum(n) as n
    from (
        select outcome, final, n from pgqueue.rollup
        union all
        select outcome, final, n from pgqueue.rollup_flush
    ) as kept
    group by outcome, final
    having sum(n) <> 0
)
select 'is in more than one place' as rule, id::text as what from place where ready + delayed + running > 1
union all
select 'has no token and did not end', id::text from place where ready + delayed + running = 0 and final is not true
union all
select 'is a dead letter and did not fail', id::text
from place
join pgqueue.dead_letter on task_id = id
where ready + delayed + running > 0 or place.outcome not in ('failed', 'timed_out', 'crashed')
union all
select 'has ended and waits at its first place', id::text
from place
join pgqueue.ready as r on r.task_id = id and not r.requeued
where final
union all
select 'has a fresh token that its fact does not name', r.task_id::text
from pgqueue.ready as r
left join pgqueue.task as t on t.id = r.task_id and t.seq = r.seq
where not r.requeued and t.id is null
union all
select 'has a token and no fact', task_id::text from token where not exists (select from pgqueue.task where id = task_id)
union all
select 'may start more often than its budget', task_id::text from token where attempt >= budget or attempt < 0
union all
select 'crashed too often', task_id::text from token where crashes not between 0 and 2
union all
select 'holds a lease that is not the newest', r.task_id::text
from pgqueue.running as r
join pgqueue.attempt as a on a.task_id = r.task_id and a.lease_id >= r.lease_id
union all
select 'holds another place than that of its task', r.task_id::text
from pgqueue.running as r
join pgqueue.task as t on t.id = r.task_id
where (r.limit_key, r.cost, r.queue) is distinct from (t.limit_key, t.cost, t.queue)
union all
select 'waits for a key that is not its own', d.task_id::text
from pgqueue.delayed as d
join pgqueue.task as t on t.id = d.task_id
where d.limit_key is not null and (d.limit_key <> t.limit_key or d.seq is null or d.status <> 'blocked')
union all
select 'has a place that is not counted', p.what
from (
    select
        u.queue || '/' || u.limit_key || ': ' || r.lease_id as what
    from pgqueue.running as r
    join (
        select distinct on (queue, limit_key) * from pgqueue.limit_use order by queue, limit_key, total desc
    ) as u on u.newest is not null and (
        (u.limit_key = '' and r.limited and r.queue = u.queue) or (r.limit_key = u.limit_key and u.queue in ('', r.queue))
    )
    where r.lease_id <= u.newest and r.lease_id <> all (u.leases)
) as p
union all
select 'two tasks hold one lease', lease_id::text from pgqueue.running group by lease_id having count(*) > 1
union all
select 'is shown as ' || v.status, v.id::text
from pgqueue.tasks as v
join place as p on p.id = v.id
left join pgqueue.delayed as d on d.task_id = v.id
where v.status is distinct from case
    when p.running = 1 then 'active'
    when p.delayed = 1 then d.status
    when p.ready = 1 then 'queued'
    when p.outcome in ('completed', 'cancelled') then p.outcome
    else 'failed'
end
union all
select 'ended tasks are miscounted', coalesce(e.outcome, c.outcome)
from ended as e
full join (select * from counted where final) as c on c.outcome = e.outcome
where e.n is distinct from c.n and not exists (select from pgqueue.day where pruned_at is not null)
union all
select 'attempts are miscounted', coalesce(t.outcome, c.outcome)
from tried as t
full join (select * from counted where not final) as c on c.outcome = t.outcome
where t.n is distinct from c.n and not exists (select from pgqueue.day where pruned_at is not null)
union all
select 'is blocked and waits for nobody', d.task_id::text
from pgqueue.delayed as d
where d.status = 'blocked' and d.reason is null
    and exists (select from pgqueue.dependency as p where p.child_id = d.task_id)
    and not exists (select from pgqueue.blocker as b where b.child_id = d.task_id)
union all
select 'waits for a task that has ended', b.child_id::text
from pgqueue.blocker as b
join place as p on p.id = b.parent_id and p.ready + p.delayed + p.running = 0
where not exists (select from pgqueue.follow_later as l where l.task_id = b.parent_id)
union all
select 'is waited for and nobody will tell', b.parent_id::text
from pgqueue.blocker as b
join pgqueue.task as t on t.id = b.parent_id
left join pgqueue.running as r on r.task_id = b.parent_id
where t.followed is not true or r.followed is false
union all
select 'the tasks of a batch are miscounted', b.id::text
from pgqueue.batches as b
cross join lateral (
    select
        count(*) as total,
        count(*) filter (where p.ready + p.delayed + p.running = 0 and p.outcome = 'completed') as completed,
        count(*) filter (where p.ready + p.delayed + p.running = 0 and p.outcome not in ('completed', 'cancelled')) as failed,
        count(*) filter (where p.ready + p.delayed + p.running = 0 and p.outcome = 'cancelled') as cancelled,
        count(*) filter (where p.running > 0) as active
    from pgqueue.task as t
    join place as p on p.id = t.id
    where t.batch_id = b.id
) as n
where (n.total, n.completed, n.failed, n.cancelled, n.active) <> (b.total, b.completed, b.failed, b.cancelled, b.active)
union all
select 'the batches in a batch are miscounted', b.id::text
from pgqueue.batches as b
cross join lateral (
    select count(*) as total, count(c.ended_at) as ended, count(*) filter (where c.outcome <> 'completed') as failed
    from pgqueue.batch as c
    where c.parent_id = b.id
) as n
where (n.total, n.ended, n.failed) <> (b.batches, b.batches_ended, b.batches_failed)
union all
select case when b.ended_at is null then 'a batch has nothing left and goes on' else 'a batch has ended and is not done' end, b.id::text
from pgqueue.batches as b
where b.closed_at is not null
    and (b.waiting + b.active + b.batches - b.batches_ended = 0) <> (b.ended_at is not null)
