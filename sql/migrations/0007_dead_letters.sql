-- Dead letters: tasks that failed for good, and operations over many tasks.
--
-- A dead letter is a copy of its task, so it outlives the day partition. The table is not partitioned: dead letters are
-- few beside tasks, and go one by one, when they are redriven or deleted or when their queue's retention has passed.

create table dead_letter (
    task_id uuid primary key,
    failed_at timestamptz not null,
    created_at timestamptz not null,
    user_id bigint not null default 0,
    attempt smallint not null,
    crash_count smallint not null,
    queue text not null,
    type text not null,
    outcome text not null,
    fingerprint text not null,
    payload jsonb not null,
    error jsonb,
    options jsonb not null,                         -- the task's other fields, by the names of enqueue_many()
    constraint dead_letter_outcome_known check (outcome in ('failed', 'timed_out', 'crashed'))
);

-- One index for each filter, all in the order of time: see scan_dead_letters().
create index dead_letter_order on dead_letter (failed_at, task_id);
create index dead_letter_by_queue on dead_letter (queue, failed_at, task_id);
create index dead_letter_by_type on dead_letter (type, failed_at, task_id);
create index dead_letter_by_fingerprint on dead_letter (fingerprint, failed_at, task_id);

-- How long dead letters are kept and how many a queue may gather in an hour. Row '*' applies to every queue without a
-- setting of its own.
create table dead_letter_policy (
    queue text primary key,
    retention interval,
    growth_limit int,
    alert_type text,
    constraint dead_letter_policy_queue check (length(queue) between 1 and 100),
    constraint dead_letter_policy_retention check (retention between '1 hour' and '36500 days'),
    constraint dead_letter_policy_growth check (growth_limit > 0),
    constraint dead_letter_policy_complete check (queue <> '*' or (retention is not null and growth_limit is not null))
);

insert into dead_letter_policy (queue, retention, growth_limit) values ('*', '30 days', 1000);

-- The dead letters of each queue when they were last counted, by one writer, and whether they grow beyond the limit.
create table dead_letter_level (
    queue text primary key,
    n bigint not null,
    last_hour bigint not null,
    growing boolean not null default false,
    since timestamptz,                              -- when they began to grow beyond the limit
    sampled_at timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- What was done to many tasks at once, by whom and why: an audit row, never deleted. Only its counts and its position
-- change.
create table operation (
    id uuid primary key,
    kind text not null,
    state text not null default 'queued',
    filter jsonb not null,
    per_second real not null,
    matched bigint not null,                        -- when it was started, or done if that is more
    matched_exact boolean not null,
    done bigint not null default 0,
    skipped bigint not null default 0,
    cursor jsonb,
    failures smallint not null default 0,           -- of its parts, in a row
    requested_by text not null,
    reason text,
    error text,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    next_at timestamptz not null,
    constraint operation_kind_known check (kind in ('redrive', 'cancel', 'delete', 'retry')),
    constraint operation_state_known check (state in ('queued', 'running', 'completed', 'cancelled', 'failed'))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

create index operation_due on operation (next_at) where state in ('queued', 'running');
