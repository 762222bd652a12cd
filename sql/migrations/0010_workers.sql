-- Workers and listeners: who is there.

-- A worker process. The leases of its tasks hold for as long as it is heard of: rescue() takes back those of the
-- others.
create table worker (
    id bigint generated always as identity primary key,
    supervisor text not null,                       -- host:pid
    host text not null,
    pid integer not null,
    version text not null,
    queues text[] not null,
    types text[] not null,
    concurrency integer not null,
    state text not null default 'active',
    started_at timestamptz not null,
    heartbeat_at timestamptz not null,
    expires_at timestamptz not null,                -- its leases hold until then
    constraint worker_state_known check (state in ('active', 'draining', 'stopped', 'lost'))
) with (fillfactor = 50);

-- Who wants to be notified on a channel: one that nobody listens on costs its writers nothing.
create table listener (
    name text not null,
    channel text not null,
    expires_at timestamptz not null,
    primary key (channel, name)
) with (fillfactor = 50);
