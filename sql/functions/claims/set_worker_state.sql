-- Moves a worker to draining or stopped. A stopped worker may hold no leases: what it still holds is rescued.
create or replace function pgqueue_private.set_worker_state(worker bigint, state text) returns void
language sql
as $$
    update pgqueue_private.worker as w set state = set_worker_state.state, heartbeat_at = pgqueue.clock()
    where w.id = set_worker_state.worker and w.state in ('active', 'draining')
$$;
