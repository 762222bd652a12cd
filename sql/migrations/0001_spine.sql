-- Facts are inserted once and never updated; tokens say where a task is now.
--
--   enqueue ──► ready ──claim──► running ──finish──► attempt (final)
--      │          ▲                 │
--      └► delayed ┘ ◄── retry ──────┘
--
-- task, attempt, task_event and artifact are facts: range partitioned by the task's UUIDv7, one partition a day.
-- ready, delayed and running are tokens: a task that is not finished has exactly one of them.

create table task (
    id uuid primary key,
    created_at timestamptz not null,
    run_at timestamptz,                             -- null: at once
    user_id bigint not null default 0,
    seq bigint,                                     -- its first place in ready; null when it started out delayed
    timeout_s real,                                 -- null: the type's own
    priority smallint not null default 5,
    max_attempts smallint not null default 3,
    queue text not null,
    type text not null,
    payload jsonb not null,
    batch_id uuid,
    traceparent text,
    -- 64 levels of nesting take more than 500 bytes of jsonb, so a small payload needs no closer look
    constraint task_payload_bounds check (pg_column_size(payload) <= 500 or payload_fits(payload))
) partition by range (id);

create table attempt (
    task_id uuid not null,
    lease_id bigint not null,
    user_id bigint not null,
    worker_id bigint,
    started_at timestamptz,                         -- null: cancelled before any start
    finished_at timestamptz not null,
    attempt smallint not null,
    final boolean not null,                         -- this attempt ended the task
    outcome text not null,
    result jsonb,
    error jsonb,                                    -- {type, message, traceback}
    progress jsonb,                                 -- the last one reported: {percent, message, at}
    primary key (task_id, lease_id),
    constraint attempt_outcome_known check (
        outcome in ('completed', 'failed', 'timed_out', 'crashed', 'cancelled', 'released', 'snoozed')
    )
) partition by range (task_id);

create table task_event (
    task_id uuid not null,
    lease_id bigint not null,
    seq integer not null,                           -- the lease's own counter
    at timestamptz not null,
    written_by xid8 not null default pg_current_xact_id(),  -- what a tail over many tasks resumes from
    user_id bigint not null default 0,
    type text not null,
    level text not null,
    message text not null,
    data jsonb,
    primary key (task_id, lease_id, seq)
) partition by range (task_id);

create index task_event_tail on task_event (written_by);

create table artifact (
    task_id uuid not null,
    name text not null,
    lease_id bigint not null,
    user_id bigint not null default 0,
    created_at timestamptz not null,
    content_type text not null,
    size integer not null,
    sha256 bytea not null,
    data bytea not null,
    primary key (task_id, name),
    constraint artifact_name_plain check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    constraint artifact_size_bound check (octet_length(data) <= 16777216)
) partition by range (task_id);

create sequence ready_seq increment by 100000;  -- a call of enqueue_many takes that many places at once
create sequence lease_seq;

create table ready (
    seq bigint not null default nextval('ready_seq'),
    task_id uuid not null,
    ready_at timestamptz not null,
    priority smallint not null,
    attempt smallint not null default 0,            -- starts so far
    budget smallint not null,                       -- the attempt after which a failure is final
    crashes smallint not null default 0,
    requeued boolean not null default false,        -- not at the seq that the task fact names
    queue text not null,
    reason text
);

-- Order of a queue, and the claim cursor's way into it.
create unique index ready_order on ready (queue, priority, seq);
-- A fresh token is found by the seq in its fact, the others here: fresh ones pay no second index.
create index ready_requeued on ready (task_id) where requeued;

create table delayed (
    task_id uuid primary key,
    run_at timestamptz not null,
    priority smallint not null,
    attempt smallint not null default 0,
    budget smallint not null,
    crashes smallint not null default 0,
    queue text not null,
    status text not null,
    reason text,
    constraint delayed_status_known check (status in ('scheduled', 'retrying', 'queued'))
);

create index delayed_due on delayed (run_at);

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
    progress jsonb
) with (fillfactor = 70);

create index running_cancel on running (worker_id) where cancel_requested;

create table task_type (
    name text primary key,
    queue text not null default 'default',
    max_attempts smallint not null default 3,
    timeout_s real,
    description text not null default '',
    payload_schema jsonb not null default '{}',
    result_schema jsonb,
    updated_at timestamptz not null
);

create table queue (
    name text primary key,
    created_at timestamptz not null,
    constraint queue_name_length check (length(name) between 1 and 100)
);

create table worker (
    id bigint generated always as identity primary key,
    supervisor text not null,                       -- host:pid
    host text not null,
    pid integer not null,
    version text not null,
    queues text[] not null,
    types text[] not null,
    concurrency integer not null,
    state text not null default 'active',
    started_at timestamptz not null,
    heartbeat_at timestamptz not null,
    expires_at timestamptz not null,                -- its leases hold until then
    constraint worker_state_known check (state in ('active', 'draining', 'stopped', 'lost'))
) with (fillfactor = 50);

-- Who wants to be notified on a channel; an empty one costs its writers nothing.
create table listener (
    name text not null,
    channel text not null,
    expires_at timestamptz not null,
    primary key (channel, name)
) with (fillfactor = 50);

create table idempotency (
    user_id bigint not null default 0,
    key text not null,
    request_hash bytea not null,
    task_ids uuid[] not null,
    created_at timestamptz not null,
    primary key (user_id, key)
);

create index idempotency_age on idempotency (created_at);

-- What finished, by minute. Each flush appends to rollup_flush; maintenance folds it into rollup.
create table rollup_flush (
    minute timestamptz not null,
    created_minute timestamptz not null,
    n integer not null,
    final boolean not null,
    queue text not null,
    type text not null,
    outcome text not null,
    waits smallint[] not null,                      -- a histogram bucket for each task
    runs smallint[] not null
);

create table rollup (
    minute timestamptz not null,
    created_minute timestamptz not null,
    queue text not null,
    type text not null,
    outcome text not null,
    final boolean not null,
    n bigint not null,
    waits bigint[] not null,                        -- a count for each of the 26 histogram buckets
    runs bigint[] not null,
    primary key (minute, created_minute, queue, type, outcome, final)
);

-- The same by the hour: what figures over days are added up from.
create table rollup_hour (
    hour timestamptz not null,
    queue text not null,
    type text not null,
    outcome text not null,
    final boolean not null,
    n bigint not null,
    waits bigint[] not null,
    runs bigint[] not null,
    primary key (hour, queue, type, outcome, final)
) with (fillfactor = 50);

create index rollup_zone on rollup (created_minute, outcome, type, queue);

-- Depth and oldest age of each queue, sampled by one writer every few seconds.
create table queue_sample (
    queue text not null,
    status text not null,
    n bigint not null,
    oldest_at timestamptz,
    sampled_at timestamptz not null,
    primary key (queue, status)
);

alter table ready set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table delayed set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table running set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table rollup_flush set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
