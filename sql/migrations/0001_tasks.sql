-- Tasks, and what is known of them: facts.
--
-- A fact is inserted once and never updated: a task as it was enqueued, each attempt as it ended, each event that a
-- handler logged. Tokens, not facts, say where a task is now: see 0002_tokens.sql.
--
-- Every table of facts is partitioned by the UUIDv7 of its task, one partition a day (in UTC): what is known of a task
-- is in one day, and a day that is past its retention is dropped as a whole. The duty make_days makes partitions ahead;
-- facts() lists the tables.
--
-- Columns are ordered by size, so that no row is padded. Those that are nearly always null come last, where a null
-- takes no room.

-- What somebody asked for.
create table task (
    id uuid primary key,
    created_at timestamptz not null,
    run_at timestamptz,                             -- null: at once
    user_id bigint not null default 0,
    seq bigint,                                     -- its first seq in ready; null: it started in delayed
    timeout_s real,                                 -- null: the type's own
    priority smallint not null default 5,
    max_attempts smallint not null default 3,
    queue text not null,
    type text not null,
    payload jsonb not null,
    batch_id uuid,
    traceparent text,
    expires_at timestamptz,                         -- cancelled if it has not started by then
    retry jsonb,                                    -- its own retry policy: see backoff()
    dedup_key text,
    limit_key text,                                 -- the key whose limits it counts against, besides its queue's
    cost smallint,                                  -- how much of a limit it takes; null: 1
    fairness_key text,                              -- the key that takes turns with others in a fair queue
    callback_url text,                              -- the URL that is called when it ends
    tags text[],                                    -- what people find it by; null: none
    followed boolean,                               -- its end has further effects: others wait for it
    -- 64 levels of nesting take more than 500 bytes of jsonb, so a small payload is not examined.
    constraint task_payload_bounds check (pg_column_size(payload) <= 500 or payload_fits(payload))
) partition by range (id);

-- A task as enqueue_many() takes it. A field that is added here is also one of a schedule's tasks: see
-- schedule_options().
create type task_input as (
    type text, payload jsonb, queue text, priority smallint, run_at timestamptz, delay_s float8, max_attempts smallint,
    timeout_s real, retry jsonb, expires_at timestamptz, expires_in_s float8, limit_key text, cost smallint,
    fairness_key text, callback_url text, batch_id uuid, dedup_key text, depends_on jsonb, traceparent text,
    tags text[]
);

-- Leads from a batch to its tasks. Tasks without a batch pay nothing for it.
create index task_batch on task (batch_id, id) where batch_id is not null;

-- How one try ended.
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

-- Leads to the tasks that failed or were cancelled. Those that complete pay nothing for it.
create index attempt_not_completed on attempt (task_id) where final and outcome <> 'completed';

-- What handlers log and stream.
create table task_event (
    task_id uuid not null,
    lease_id bigint not null,
    seq integer not null,                           -- the lease's own counter
    at timestamptz not null,
    written_by xid8 not null default pg_current_xact_id(),  -- where a tail over many tasks resumes
    user_id bigint not null default 0,
    type text not null,
    level text not null,
    message text not null,
    data jsonb,
    primary key (task_id, lease_id, seq)
) partition by range (task_id);

create index task_event_tail on task_event (written_by);

-- Files that handlers store.
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
    constraint artifact_type_plain check (content_type ~ '^[!#-~]{1,127}/[ -~]{1,127}$'),
    constraint artifact_size_bound check (octet_length(data) <= 16777216)
) partition by range (task_id);

-- They are read in pieces: of a compressed file each piece would decompress all before it.
alter table artifact alter column data set storage external;

-- What a task remembers from one attempt to the next: the results of its steps, and (named '') its last checkpoint.
-- The only fact that is updated: when an attempt gives a name a newer value.
create table checkpoint (
    task_id uuid not null,
    name text not null,
    lease_id bigint not null,
    user_id bigint not null default 0,
    attempt smallint not null,
    at timestamptz not null,
    size integer not null,                          -- of the data as text, in bytes
    data jsonb not null,
    primary key (task_id, name),
    constraint checkpoint_name_length check (length(name) <= 100),
    constraint checkpoint_data_bounds check (pg_column_size(data) <= 500 or payload_fits(data))
) partition by range (task_id);

-- Who waited for whom. Kept as long as the task that waited, the child.
create table dependency (
    child_id uuid not null,
    parent_id uuid not null,
    n int not null,                                 -- its position in the list of parents
    on_failure text not null,                       -- what happens to the child when this parent does not complete
    primary key (child_id, parent_id),
    constraint dependency_on_failure_known check (on_failure in ('cancel', 'run', 'fail'))
) partition by range (child_id);

create index dependency_parent on dependency (parent_id);

-- The types that handlers exist for, as apps publish them: the defaults of their tasks.
create table task_type (
    name text primary key,
    queue text not null default 'default',
    max_attempts smallint,                          -- null: the queue's
    timeout_s real,
    description text not null default '',
    payload_schema jsonb not null default '{}',
    result_schema jsonb,
    updated_at timestamptz not null,
    retry jsonb                                     -- a retry policy; null: the queue's
);
