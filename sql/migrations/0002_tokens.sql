-- Where a task is now: tokens.
--
--   enqueue ──► ready ──claim──► running ──finish──► attempt (final)
--      │          ▲                 │
--      └► delayed ┘ ◄── retry ──────┘
--
-- A task that has not ended has exactly one token: in ready (a worker may claim it), in delayed (it waits for a time,
-- for other tasks or for room under a limit) or in running (an attempt holds its lease). A task that has ended has
-- none, and a final attempt. A token is small and is deleted by the transition that ends it, so these tables stay as
-- short as the backlog.
--
-- They change many times a second. Autovacuum therefore counts dead rows, not shares of the table, and does not pause.

create sequence ready_seq increment by 100000;      -- each call of enqueue_many takes that many at once
create sequence lease_seq;

create table ready (
    seq bigint not null default nextval('ready_seq'),
    task_id uuid not null,
    ready_at timestamptz not null,
    priority smallint not null,
    attempt smallint not null default 0,            -- starts so far
    budget smallint not null,                       -- the attempt after which a failure is final
    crashes smallint not null default 0,
    requeued boolean not null default false,        -- its seq is not the one in the task's fact
    queue text not null,
    type text not null,                             -- claims take the types that their worker has
    reason text,
    limit_key text,                                 -- the key whose limit it counts against
    fairness_key text                               -- the key whose turn it is part of; null: its queue is not fair
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- The order of a queue, in which claims start at a cursor.
create unique index ready_order on ready (queue, priority, seq);
-- A fresh token is found by the seq in its fact, the others by this index: fresh ones pay for no second index.
create index ready_requeued on ready (task_id) where requeued;
create index ready_of_key on ready (queue, limit_key) where limit_key is not null;
create index ready_turns on ready (queue, priority, fairness_key, seq) where fairness_key is not null;

create table delayed (
    task_id uuid primary key,
    run_at timestamptz not null,                    -- infinity: it waits for others, or for room
    priority smallint not null,
    attempt smallint not null default 0,
    budget smallint not null,
    crashes smallint not null default 0,
    queue text not null,
    type text not null,
    status text not null,
    reason text,
    limit_key text,                                 -- only while it waits for room under the limit of this key
    seq bigint,                                     -- its seq in the order while it waits for that
    -- A blocked task waits for others or for room: its run_at is infinity, or a time that is not its own.
    constraint delayed_status_known check (status in ('scheduled', 'retrying', 'queued', 'blocked'))
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

create index delayed_due on delayed (run_at);
-- Claims do not see tasks that wait for their key; this is their order.
create index delayed_of_key on delayed (limit_key, queue, priority, seq) where limit_key is not null;

-- A slot of a limit in use is the row of a running task: there is no second record to keep consistent.
create table running (
    task_id uuid primary key,
    lease_id bigint not null,
    worker_id bigint not null,
    user_id bigint not null,
    created_at timestamptz not null,
    ready_at timestamptz not null,
    started_at timestamptz not null,
    deadline_at timestamptz,
    attempt smallint not null,
    budget smallint not null,
    crashes smallint not null,
    priority smallint not null,
    cancel_requested boolean not null default false,
    queue text not null,
    type text not null,
    progress jsonb,
    limited boolean not null default false,         -- its queue has a limit, of which it takes a slot
    followed boolean not null default false,        -- its batch, callback or dependents learn of its end
    limit_key text,                                 -- the key whose limit it takes a slot of
    cost smallint,                                  -- how much of it; null: 1
    batch_id uuid
) with (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);

create index running_cancel on running (worker_id) where cancel_requested;
create index running_of_queue on running (queue, lease_id) where limited;
create index running_of_key on running (limit_key, lease_id) where limit_key is not null;
create index running_batch on running (batch_id) where batch_id is not null;

-- When tasks expire that have not started by then. A row is deleted at its time, whatever happened to its task.
create table expiry (
    expires_at timestamptz not null,
    task_id uuid not null,
    primary key (expires_at, task_id)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- What a blocked task still waits for: deleted when the parent ends.
create table blocker (
    parent_id uuid not null,
    child_id uuid not null,
    on_failure text not null,
    primary key (parent_id, child_id)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

create index blocker_child on blocker (child_id, parent_id);

-- Tasks that ended in a wave too large for one transaction: maintenance tells the tasks that wait for them.
create table follow_later (
    task_id uuid primary key,
    outcome text not null
);
