-- Webhooks: who gets which events, the secrets that sign them, and what was sent.
--
-- A delivery is stored in the transaction of its event, with a task in the queue pgqueue.webhooks that sends it.

create table webhook (
    id uuid primary key,
    user_id bigint not null default 0,
    created_at timestamptz not null,
    version bigint not null default 1,              -- counts its changes
    disabled_at timestamptz,
    disabled_reason text,
    url text not null,
    description text not null default '',
    events text[] not null,
    queues text[],                                  -- null: all
    types text[]
);

-- Secrets have their own table, so no view or answer shows them. Without a webhook: those of the callback URLs of tasks
-- and batches.
create table webhook_secret (
    user_id bigint not null default 0,
    webhook_id uuid references webhook on delete cascade,
    secret text not null,
    created_at timestamptz not null,
    expires_at timestamptz,                         -- another replaced it: both sign until then
    constraint webhook_secret_known check (secret ~ '^whsec_[A-Za-z0-9+/]{32,88}=*$')
);

-- Only one secret has no end.
create unique index webhook_secret_current on webhook_secret (user_id, webhook_id) nulls not distinct where expires_at is null;
create index webhook_secret_owner on webhook_secret (webhook_id);

-- What was sent, or is to be sent, and where. Its id is the webhook-id of every try.
create table webhook_delivery (
    id uuid primary key,
    user_id bigint not null default 0,
    created_at timestamptz not null,
    ended_at timestamptz,
    webhook_id uuid,                                -- null: to a callback_url
    subject_id uuid,                                -- the task or batch that it is about
    task_id uuid not null,                          -- the task that sends it
    status text not null default 'pending',
    event text not null,
    url text not null,                              -- the webhook's own URL may have changed since
    body text not null,                             -- what is sent and signed, to the byte
    tries jsonb not null default '[]',              -- the newest 20: {at, response_status, duration_s, response, error}
    attempts int not null default 0,
    constraint webhook_delivery_status_known check (status in ('pending', 'delivered', 'failed', 'cancelled'))
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

create index webhook_delivery_log on webhook_delivery (webhook_id, id);
