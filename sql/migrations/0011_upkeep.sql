-- Upkeep: what maintenance has done, what it found, and which days are gone.

-- How the duties of maintenance went: a row for each, written at most every few seconds. Times are the database's.
create table duty (
    name text primary key,
    interval_s float8 not null,                     -- between two runs, when there is no urgent work
    started_at timestamptz not null,
    finished_at timestamptz,                        -- of the last run that succeeded
    due_at timestamptz,                             -- when the one after it was to start
    duration_s float8,
    run_by text,                                    -- the supervisor, as in worker
    error text,                                     -- of the last run that failed
    error_at timestamptz
) with (fillfactor = 50);

-- The days of which something was pruned: a task of such a day that is missing was pruned, or never existed. These rows
-- are never deleted.
create table day (
    day date primary key,
    pruned_at timestamptz,                          -- when something of it was pruned last
    kept bigint,                                    -- tasks that were left then
    dropped_at timestamptz,                         -- when nothing was left and its partitions were dropped
    next_at timestamptz not null,                   -- when something more of it may be pruned
    cursor uuid                                     -- how far the current walk over it has got
);

-- What operators should know, one row for each time that it happened.
create table notice (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    kind text not null,
    queue text,
    message text not null,
    data jsonb not null
);
