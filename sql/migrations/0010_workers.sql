-- Workers and listeners: the processes that are connected.

-- A worker process. The leases of its tasks hold as long as its heartbeats come: rescue() takes back those of the
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

-- Rows stay for a month; those who ask for live workers read these only.
create index worker_active on worker (id) where state = 'active';

-- Who listens on a channel: a channel without listeners costs its writers nothing.
create table listener (
    name text not null,
    channel text not null,
    expires_at timestamptz not null,
    primary key (channel, name)
) with (fillfactor = 50);
