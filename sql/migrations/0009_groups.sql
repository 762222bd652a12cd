-- What ties a task to others. Nulls at the end of a row take no room.
-- Older than the first release: nobody has rows in these tables.
-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid
alter table task
    add column limit_key text,                      -- whose limits it counts against, beside its queue's
    add column cost smallint,                       -- how much of a limit it takes; null: 1
    add column fairness_key text,                   -- with whom it takes turns in a fair queue
    add column callback_url text,                   -- told when it ends
    add column followed boolean;                    -- something else happens when it ends: others wait for it

-- Known while it runs: something happens when it ends, for its batch, its callback or those who wait for it.
alter table running add column followed boolean not null default false;

-- A blocked task waits for others or for room, not for a time (run_at infinity) or for a time that is not its own.
alter table delayed
    drop constraint delayed_status_known,
    add constraint delayed_status_known check (status in ('scheduled', 'retrying', 'queued', 'blocked'));
