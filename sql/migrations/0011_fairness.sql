-- Taking turns: in a fair queue those who have tasks of the same priority start them in turn, however many each has.
-- Older than the first release: nobody has rows in these tables.
-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
alter table queue
    add column fairness jsonb;                      -- {"weights": {"key": n, …}}: starts of a key in a turn, if not 1; null: off

-- Whose turn it is part of; null in queues that are not fair, where it takes no room.
alter table ready add column fairness_key text;

create index ready_turns on ready (queue, priority, fairness_key, seq) where fairness_key is not null;

-- Read by each enqueue, so it holds only what it must.
create index queue_fair on queue (name) where fairness is not null;

drop index queue_guarded;
create index queue_guarded on queue (name)
where
    concurrency is not null or rate is not null or paused_at is not null or fairness is not null
    or per_key is not null or slowed_until is not null;
