-- Tasks that belong together, and tasks that wait for others.
-- Older than the first release: nobody has rows in these tables.
-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid, require-concurrent-index-creation

-- A batch: it ends when it is closed and all of its tasks and of the batches in it have ended. Its counts here are those that
-- were folded; what was counted since is in batch_delta, so that no row is written by each flush.
create table batch (
    id uuid primary key,
    created_at timestamptz not null,
    closed_at timestamptz,                          -- nothing more is added
    ended_at timestamptz,
    cancelled_at timestamptz,                       -- somebody cancelled the whole
    user_id bigint not null default 0,
    parent_id uuid,
    total bigint not null default 0,
    completed bigint not null default 0,
    failed bigint not null default 0,
    cancelled bigint not null default 0,
    batches int not null default 0,                 -- in this one
    batches_ended int not null default 0,
    batches_failed int not null default 0,          -- of those that ended: not completed
    depth smallint not null default 0,              -- doors are taken the deepest first: see end_batches()
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
) with (fillfactor = 50);

create index batch_parent on batch (parent_id) where parent_id is not null;
create index batch_ended on batch (ended_at) where ended_at is not null;

-- What a transaction changed in the counts of a batch.
create table batch_delta (
    batch_id uuid not null,
    total int not null default 0,
    completed int not null default 0,
    failed int not null default 0,
    cancelled int not null default 0,
    batches int not null default 0,
    batches_ended int not null default 0,
    batches_failed int not null default 0
);

create index batch_delta_order on batch_delta (batch_id);

-- The way from a batch to its tasks. Others pay nothing for it.
create index task_batch on task (batch_id, id) where batch_id is not null;

alter table running add column batch_id uuid;

create index running_batch on running (batch_id) where batch_id is not null;

-- Who waited for whom: a fact, kept as long as the task that waited.
create table dependency (
    child_id uuid not null,
    parent_id uuid not null,
    n int not null,                                 -- its place among the parents as they were given
    on_failure text not null,                       -- what becomes of the child when this parent does not complete
    primary key (child_id, parent_id),
    constraint dependency_on_failure_known check (on_failure in ('cancel', 'run', 'fail'))
) partition by range (child_id);

create index dependency_parent on dependency (parent_id);

-- What a blocked task still waits for: a token, deleted when the parent ends.
create table blocker (
    parent_id uuid not null,
    child_id uuid not null,
    on_failure text not null,
    primary key (parent_id, child_id)
);

create index blocker_child on blocker (child_id, parent_id);

-- Tasks that ended in a wave too large for one transaction: those who wait for them hear of it from maintenance.
create table follow_later (
    task_id uuid primary key,
    outcome text not null
);

-- a day of its own for each day that tasks have
do $$
declare
    day record;
begin
    for day in
        select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bounds
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'pgqueue.task'::regclass
    loop
        execute format(
            'create table pgqueue.%I partition of pgqueue.dependency %s', replace(day.name, 'task_', 'dependency_'), day.bounds
        );
    end loop;
end
$$;

alter table batch set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
alter table batch_delta set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table blocker set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

alter table operation
    drop constraint operation_kind_known,
    add constraint operation_kind_known check (kind in ('redrive', 'cancel', 'delete', 'retry'));
