-- What keeps things from happening twice: keys that keep a task unique, and requests that were sent again.

-- A row for each dedup_key that was used, which names the newest task with it. Its row lock is the key's lock.
create table dedup (
    user_id bigint not null default 0,
    scope text not null,                            -- what scope_name names: a type or a queue
    scope_name text not null,
    key text not null,
    task_id uuid,                                   -- null only within the transaction that stores the first one
    created_at timestamptz not null,                -- of the task
    expires_at timestamptz not null,                -- prune checks it then; a task that has not ended keeps it longer
    lasting boolean not null,                       -- a task that has ended counts for as long as it is kept
    primary key (user_id, scope, scope_name, key),
    constraint dedup_scope_known check (scope in ('type', 'queue')),
    constraint dedup_key_length check (length(key) between 1 and 255)
) with (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);

create index dedup_expiry on dedup (expires_at);

-- What was answered under a client's Idempotency-Key, for a day: the same request gets the same answer.
create table idempotency (
    user_id bigint not null default 0,
    key text not null,
    request_hash bytea not null,
    task_ids uuid[] not null,
    created_at timestamptz not null,
    verdicts text[],                                -- which tasks of the request, by position, existed before
    primary key (user_id, key)
);

create index idempotency_age on idempotency (created_at);
