-- Queues and limits: what may start, how much of it at once, and in which order.
--
-- A queue exists from the first task or setting that names it. A row holds only what was set; null means the default.
-- Limits apply across all workers. concurrency bounds how much runs at once, a rate how much starts in a time. Both are
-- counted in units of a task's cost, and both may be set for a queue, for each key in a queue (per_key) and for a key
-- in all queues (key_limit).
--
-- Claims take no lock and read nothing here for a queue without a limit: the partial indexes hold the others.

create table queue (
    name text primary key,
    created_at timestamptz not null,
    ageing_s real,                                  -- seconds of waiting for each step of priority gained; null: none
    version bigint not null default 1,              -- of its settings: each change adds one
    max_attempts smallint,                          -- null: 3
    retry jsonb,                                    -- a retry policy: see backoff()
    concurrency int,                                -- null: as many as there are slots
    rate jsonb,                                     -- [{"count", "per_seconds"}, …], all of which apply; null: none
    paused_at timestamptz,
    paused_by text,
    paused_reason text,
    per_key jsonb,                                  -- {"concurrency", "rate"}: of each key without a limit of its own
    slowed_until timestamptz,                       -- a handler asked for it: nothing starts before then
    slowed_reason text,
    fairness jsonb,                                 -- {"weights": {"key": n, …}}: starts in a turn; null: off
    retention jsonb,                                -- {"tasks_s", "events_s", "artifacts_s"}: see kept_for()
    constraint queue_name_length check (length(name) between 1 and 100),
    constraint queue_max_attempts_bound check (max_attempts between 1 and 1000),
    constraint queue_ageing_positive check (ageing_s > 0),
    constraint queue_ageing_bound check (ageing_s <= 1e9),
    constraint queue_concurrency_bound check (concurrency between 1 and 1000000)
);

-- Every enqueue or claim reads one of these indexes, so each holds only what it must.
create index queue_budget on queue (name) where max_attempts is not null;
create index queue_ageing on queue (name) where ageing_s is not null;
create index queue_fair on queue (name) where fairness is not null;
create index queue_guarded on queue (name)
where
    concurrency is not null or rate is not null or paused_at is not null or fairness is not null
    or per_key is not null or slowed_until is not null;

-- The limit of all tasks with this limit_key, in any queue. Without concurrency and rate, the key has no limit.
create table key_limit (
    name text primary key,
    version bigint not null default 1,              -- each change adds one
    created_at timestamptz not null,
    concurrency int,
    rate jsonb,
    slowed_until timestamptz,
    slowed_reason text,
    constraint key_limit_name_length check (length(name) between 1 and 255),
    constraint key_limit_concurrency_bound check (concurrency between 1 and 1000000)
);

-- Keys that a handler asked to slow down and that have no limit of their name; each in one queue.
create table key_slowed (
    queue text not null,
    limit_key text not null,
    slowed_until timestamptz not null,
    slowed_reason text,
    primary key (queue, limit_key)
);

-- Queues that have ever held tasks with a limit_key. A queue may occur twice, so writers never wait for each other.
create table keyed_queue (queue text not null);

-- What a limit has let start: a row for each claim; the newest has the current state. A ledger, so that no row is
-- updated. Of a queue ('email', ''), of a key in a queue ('email', 'acme'), of a limit by its name ('', 'acme').
create table limit_use (
    queue text not null,
    limit_key text not null,
    total bigint not null,                          -- cost of all starts so far, this one's included
    n int not null,                                 -- cost of this one
    at timestamptz not null,                        -- not before any of them started
    due_at timestamptz,                             -- with a smooth rate: when the next may start
    leases bigint[],                                -- the oldest that hold slots, and
    newest bigint,                                  -- all later ones are above this; null: not known
    primary key (queue, limit_key, total)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

create index limit_use_order on limit_use (queue, limit_key, at);
