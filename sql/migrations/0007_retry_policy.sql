-- What a queue and a type may say about retries: a task's own word comes first, then its type's, then its queue's.
-- Older than the first release: nobody has rows in these tables.
-- squawk-ignore-file ban-drop-default, ban-drop-not-null, constraint-missing-not-valid, require-concurrent-index-creation
alter table queue
    add column version bigint not null default 1,   -- of its settings: each change adds one
    add column max_attempts smallint,               -- null: 3
    add column retry jsonb,                         -- a retry policy: see backoff()
    add constraint queue_max_attempts_bound check (max_attempts between 1 and 1000),
    add constraint queue_ageing_bound check (ageing_s <= 1e9);

-- Read once by each enqueue, so it holds only what it must.
create index queue_budget on queue (name) where max_attempts is not null;

alter table task_type
    alter column max_attempts drop not null,        -- null: the queue's
    alter column max_attempts drop default,
    add column retry jsonb;
