-- What a task may ask for beyond when and where it runs. A null at the end of a row takes no room.
alter table task
    add column expires_at timestamptz,              -- not started by then: cancelled
    add column retry jsonb,                         -- its own retry policy
    add column dedup_key text;
