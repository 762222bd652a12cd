-- Limits of keys: tasks with a limit_key count against the limit of that name, or against what their queue allows each key.
-- Older than the first release: nobody has rows in these tables.
-- squawk-ignore-file ban-drop-table, require-concurrent-index-creation
alter table queue
    add column per_key jsonb,                       -- {"concurrency", "rate"}: of each key that has no limit of its name
    add column slowed_until timestamptz,            -- a handler asked for it: nothing starts before
    add column slowed_reason text;

-- The limit of all tasks with this limit_key, in whatever queue. Without concurrency and rate: the key has no limit.
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

-- Keys without a limit of their name that a handler asked to slow down, in one queue.
create table key_slowed (
    queue text not null,
    limit_key text not null,
    slowed_until timestamptz not null,
    slowed_reason text,
    primary key (queue, limit_key)
);

-- Queues that have ever held tasks with a limit_key. A queue may come twice: those who write it never wait for each other.
create table keyed_queue (queue text not null);

-- What a limit has let through: a row for each claim, the newest says how things stand. A ledger, so that no row is updated.
-- Of a queue ('email', ''), of a key in a queue ('email', 'acme'), of a limit by its name ('', 'acme').
create table limit_use (
    queue text not null,
    limit_key text not null,
    total bigint not null,                          -- cost of all starts so far, this one's included
    n int not null,                                 -- cost of this one
    at timestamptz not null,                        -- not before any of them started
    due_at timestamptz,                             -- with a smooth rate: when the next may start
    leases bigint[],                                -- the oldest that hold places, and
    newest bigint,                                  -- all later ones that do are above this; null: not known
    primary key (queue, limit_key, total)
);

create index limit_use_order on limit_use (queue, limit_key, at);

-- A place of a limit is the row of a task that runs: there is no second truth to keep in step.
drop table slot;
drop table started;

alter table running
    add column limit_key text,
    add column cost smallint;                       -- null: 1

create index running_of_queue on running (queue, lease_id) where limited;
create index running_of_key on running (limit_key, lease_id) where limit_key is not null;

-- A task that waits for its key is out of the way of claims: in delayed, with its place in the order.
alter table delayed
    add column limit_key text,                      -- only while it waits for that
    add column seq bigint;

create index delayed_of_key on delayed (limit_key, queue, priority, seq) where limit_key is not null;

alter table ready add column limit_key text;        -- a hint: those that were requeued may leave it out

create index ready_of_key on ready (queue, limit_key) where limit_key is not null;

-- A letter that is redriven after its day is limited as it was.
alter table dead_letter
    add column limit_key text,
    add column cost smallint;

alter table limit_use set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
