-- Schedules: what is enqueued at the times that a cron expression names, or once, and what happened to each of these
-- times.
--
-- A worker's supervisor reads the cron expression and plans; fire_schedules() carries the plan out. It writes a slot,
-- which is unique, for each due time in the transaction that enqueues its task: so a due time has one fate, however
-- often it is planned and by how many supervisors.

create table schedule (
    id uuid primary key,
    user_id bigint not null default 0,
    name text not null,
    version bigint not null default 0,              -- of its settings: each change adds one
    created_at timestamptz not null,

    -- when: a cron expression, or one time
    cron text,
    run_at timestamptz,
    timezone text not null default 'UTC',
    starts_at timestamptz,
    ends_at timestamptz,
    jitter_s real not null default 0,
    enabled boolean not null default true,
    missed text not null default 'latest',
    missed_max smallint not null default 100,
    overlap text not null default 'allow',

    -- what
    type text,
    payload jsonb not null default '{}',
    options jsonb not null default '{}',            -- the other fields of its tasks, by the names of task_input

    -- owner: the app whose code declares it, and since when it no longer does
    declared_by text,
    undeclared_at timestamptz,

    -- position
    after_at timestamptz not null,                  -- due times up to here have been handled
    next_due_at timestamptz,                        -- null: no scheduler has read it yet, or it is not due again
    look_at timestamptz,                            -- when a scheduler is to look at it; null: never
    waiting_at timestamptz,                         -- the due time that waits for the end of its predecessor
    backfill_from timestamptz,                      -- what is left of the range to fill
    backfill_to timestamptz,
    run_count bigint not null default 0,
    last_due_at timestamptz,
    last_task_id uuid,
    error text,

    constraint schedule_payload_bounds check (pg_column_size(payload) <= 500 or payload_fits(payload))
) with (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);

create unique index schedule_name on schedule (user_id, name);
create index schedule_look on schedule (look_at) where look_at is not null;
create index schedule_declared on schedule (declared_by) where declared_by is not null;

-- A row for each due time. Not partitioned: a due time is unique whatever day its row was written on, and rows are
-- deleted after a week.
create table schedule_slot (
    schedule_id uuid not null,
    due_at timestamptz not null,
    at timestamptz not null,                        -- when its fate was decided
    kind text not null default 'due',
    fate text not null,
    open boolean not null default false,            -- its task may not have ended
    reason text,
    task_id uuid,
    primary key (schedule_id, due_at),
    constraint schedule_slot_kind_known check (kind in ('due', 'backfill', 'trigger')),
    constraint schedule_slot_fate_known check (fate in ('enqueued', 'waiting', 'skipped', 'missed'))
) with (
    fillfactor = 90,
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);

create index schedule_slot_open on schedule_slot (schedule_id, due_at) where open;
create index schedule_slot_age on schedule_slot (at);
