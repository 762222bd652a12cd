-- Limits of a queue, over all workers: how many of its tasks run at once, how many start in a time, and whether any start.
-- Older than the first release: nobody has rows in these tables.
-- squawk-ignore-file constraint-missing-not-valid, require-concurrent-index-creation
alter table queue
    add column concurrency int,                     -- null: as many as there are places
    add column rate jsonb,                          -- [{"count", "per_seconds"}, …], all of which hold; null: none
    add column paused_at timestamptz,
    add column paused_by text,
    add column paused_reason text,
    add constraint queue_concurrency_bound check (concurrency between 1 and 1000000);

-- Read by each claim, so it holds only what it must.
create index queue_guarded on queue (name) where concurrency is not null or rate is not null or paused_at is not null;

-- Its slot is given back when it ends, whoever ends it.
alter table running add column limited boolean not null default false;

-- The places that are taken in queues with limits: one for each lease, owned by it.
create table slot (
    queue text not null,
    lease_id bigint not null,
    primary key (queue, lease_id)
);

-- What started in queues with a rate, a row for each claim: a ledger, so that no row is updated.
create table started (
    queue text not null,
    at timestamptz not null,                        -- not before any of them started
    n int not null
);

create index started_order on started (queue, at);

alter table slot set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
alter table started set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
