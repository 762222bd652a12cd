-- Batches: tasks that belong together.
--
-- A batch ends when it is closed and all of its tasks and of the batches inside it have ended; then it enqueues its
-- callbacks. The counts in batch are those that were folded. Those added since are in batch_delta, so that flushes do
-- not all write the same row: batch_counts() adds the two up.

create table batch (
    id uuid primary key,
    created_at timestamptz not null,
    closed_at timestamptz,                          -- nothing can be added since
    ended_at timestamptz,
    cancelled_at timestamptz,                       -- somebody cancelled the whole batch
    user_id bigint not null default 0,
    parent_id uuid,
    total bigint not null default 0,
    completed bigint not null default 0,
    failed bigint not null default 0,
    cancelled bigint not null default 0,
    batches int not null default 0,                 -- directly inside this one
    batches_ended int not null default 0,
    batches_failed int not null default 0,          -- of those that ended: not completed
    depth smallint not null default 0,              -- rows are locked deepest first: see end_batches()
    name text not null,
    outcome text,
    metadata jsonb not null default '{}',
    on_success jsonb,                               -- tasks, each enqueued once at most
    on_failure jsonb,
    on_complete jsonb,
    success_task_id uuid,                           -- what was enqueued
    failure_task_id uuid,
    complete_task_id uuid,
    callback_url text,
    constraint batch_name_length check (length(name) between 1 and 200),
    constraint batch_metadata_bounds check (pg_column_size(metadata) <= 500 or payload_fits(metadata)),
    constraint batch_depth_bound check (depth between 0 and 10),
    constraint batch_outcome_known check (outcome in ('completed', 'failed', 'cancelled'))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

create index batch_parent on batch (parent_id) where parent_id is not null;
create index batch_ended on batch (ended_at) where ended_at is not null;

-- How a transaction changed the counts of a batch.
create table batch_delta (
    batch_id uuid not null,
    total int not null default 0,
    completed int not null default 0,
    failed int not null default 0,
    cancelled int not null default 0,
    batches int not null default 0,
    batches_ended int not null default 0,
    batches_failed int not null default 0
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

create index batch_delta_order on batch_delta (batch_id);
