-- How the duties of maintenance went: a row for each, written at most every few seconds. Times are the database's.
create table duty (
    name text primary key,
    interval_s float8 not null,                     -- between two runs, when nothing presses
    started_at timestamptz not null,
    finished_at timestamptz,                        -- of the last run that ended well
    due_at timestamptz,                             -- when the one after it was to start
    duration_s float8,
    run_by text,                                    -- the supervisor, as in worker
    error text,                                     -- of the last run that failed
    error_at timestamptz
) with (fillfactor = 50);
