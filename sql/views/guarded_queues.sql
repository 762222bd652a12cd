-- The queues that plain claims skip: those with limits, fair, paused and slowed ones, and those that hold tasks whose
-- key may have a limit. Almost always empty, and read by each claim.
create or replace view pgqueue_private.guarded_queues as
select q.name, q.paused_at is not null as paused
from pgqueue_private.queue as q
where q.concurrency is not null or q.rate is not null or q.paused_at is not null or q.fairness is not null
    or q.per_key is not null or q.slowed_until > pgqueue.clock()
union all
select k.queue, false
from pgqueue_private.keyed_queue as k
where exists (select from pgqueue_private.key_limit)
    or exists (select from pgqueue_private.key_slowed as s where s.slowed_until > pgqueue.clock());

comment on view pgqueue_private.guarded_queues is 'Queues whose tasks are claimed one queue at a time, within limits.';
