-- Statistics: counts, charts and percentiles are read from these tables, at a cost that does not depend on the number
-- of tasks.
--
-- Each flush of finishes appends a row to rollup_flush; maintenance folds it into rollup (by minute) and rollup_hour.
-- rollup is also the map of history: a search looks up which minutes hold matches, and scans only the tasks of these.
-- created_minute is when the tasks were created, minute when they ended.

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
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

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
) with (fillfactor = 70);

-- The latest minute of an outcome, a type or a queue is the last entry of its own: see ended_minute_before().
create index rollup_of_outcome on rollup (outcome, created_minute) where final;
create index rollup_of_type on rollup (type, outcome, created_minute, queue) where final;
create index rollup_of_queue on rollup (queue, outcome, created_minute) where final;
create index rollup_of_day on rollup (created_minute);

-- The same by the hour: figures over days are summed from it.
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

-- Depth and oldest age of each queue, sampled by one writer every few seconds. A row without tasks is not touched again:
-- its sampled_at says since when there are none. It goes after a day.
create table queue_sample (
    queue text not null,
    status text not null,
    n bigint not null,
    oldest_at timestamptz,
    sampled_at timestamptz not null,
    primary key (queue, status)
);

create index queue_sample_held on queue_sample (queue) where n > 0;
create index queue_sample_at on queue_sample (sampled_at);

-- When the queues were sampled last: one row.
create table sampling (sampled_at timestamptz not null);

-- Runnable tasks that no live worker takes, as sampled last.
create table unhandled (
    queue text not null,
    type text not null,
    n bigint not null,
    oldest_at timestamptz not null,
    primary key (queue, type)
);
