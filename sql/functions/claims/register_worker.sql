-- Registers a worker process and the types it knows. Returns the worker's id, which its leases carry.
create or replace function pgqueue_private.register_worker(
    supervisor text, host text, pid int, version text, queues text[], types text[], concurrency int, lease_s float8
) returns bigint
language sql
as $$
    insert into pgqueue_private.worker (
        supervisor, host, pid, version, queues, types, concurrency, started_at, heartbeat_at, expires_at
    )
    select supervisor, host, pid, version, queues, types, concurrency, now, now, now + lease_s * interval '1 second'
    from pgqueue.clock() as now
    returning id
$$;
