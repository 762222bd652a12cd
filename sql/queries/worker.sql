-- What workers and supervisors call.

-- name: skip_leases
select pgqueue_private.skip_leases();

-- name: claim_tasks
select
    task_id::text, lease_id, attempt, budget, crashes, priority, seq, queue, type, timeout_s, wait_s, payload,
    traceparent, watched, resumes, expired, run_at_s, batch_id::text
from
    set_config('synchronous_commit', 'off', true),  -- a lost claim only means a rerun; for this transaction only
    pgqueue_private.claim(%(worker)s, %(queues)s::text[], %(cursors)s::bigint[], %(max_tasks)s, %(types)s::text[]);

-- name: claim_limited_tasks
select
    task_id::text, lease_id, attempt, budget, crashes, priority, seq, queue_name, type, timeout_s, wait_s, payload,
    traceparent, watched, resumes, expired, run_at_s, batch_id::text, again_s, next_turn::text
from
    set_config('synchronous_commit', 'off', true),
    pgqueue_private.claim_limited(
        %(worker)s, %(queue)s, %(max_tasks)s, %(turn)s::jsonb, %(types)s::text[], %(cursors)s::bigint[]
    );

-- name: guarded_queues
select name, bool_or(paused) as paused
from pgqueue_private.guarded_queues
where name = any (%(queues)s::text[])
group by name;

-- name: finish_attempts
select refused, watched from pgqueue_private.finish(%(results)s, %(task_ids)s::uuid[], %(lease_ids)s::bigint[]);

-- name: record_progress
select refused, watched from pgqueue_private.record_progress(%(updates)s);

-- name: append_events
select watched from pgqueue_private.append_events(%(events)s);

-- name: save_artifact
select pgqueue_private.save_artifact(%(task_id)s, %(lease_id)s, %(name)s, %(content_type)s, %(data)s);

-- name: find_artifact
select file_name, content_type, size, sha256
from pgqueue_private.find_artifact(%(upload_id)s::uuid, %(task_id)s::uuid, %(name)s::text);

-- name: read_artifact
select pgqueue_private.read_artifact(%(n)s, %(upload_id)s::uuid, %(task_id)s::uuid, %(name)s::text) as data;

-- name: prune_uploads
select pgqueue_private.prune_uploads(100);

-- name: save_checkpoint
select pgqueue.save_checkpoint(%(task_id)s, %(lease_id)s, %(name)s, %(data)s);

-- name: load_checkpoints
select name, data::text from pgqueue_private.checkpoint where task_id = %(task_id)s;

-- name: load_parents
select pgqueue_private.parents_of(%(task_id)s);

-- name: lease_holds
select exists (select from pgqueue_private.running where task_id = %(task_id)s and lease_id = %(lease_id)s);

-- name: complete_attempt
select pgqueue.complete_attempt(%(task_id)s, %(lease_id)s, %(result)s, %(progress)s);

-- name: forget_session
-- Does what "discard all" does, except to prepared statements: the driver would continue to use them.
set session authorization default;
reset all;
unlisten *;
select pg_advisory_unlock_all();
discard temp;
discard sequences;

-- name: announce_tasks
select pgqueue_private.announce(%(ids)s::uuid[]);

-- name: runnable_lanes
select queue, priority from pgqueue_private.runnable_lanes(%(queues)s::text[], %(after)s, %(max_lanes)s);

-- name: read_lanes
select own, passed, ended
from pgqueue_private.read_lanes(
    %(queues)s::text[], %(priorities)s::smallint[], %(positions)s::bigint[], %(types)s::text[], %(max_rows)s
);

-- name: register_worker
select pgqueue_private.register_worker(
    %(supervisor)s, %(host)s, %(pid)s, %(version)s, %(queues)s, %(types)s, %(concurrency)s, %(lease_s)s
);

-- name: heartbeat
select active, cancels from pgqueue_private.heartbeat(%(workers)s::bigint[], %(lease_s)s);

-- name: set_worker_state
select pgqueue_private.set_worker_state(%(worker)s, %(state)s);

-- name: held_by
select task_id::text, lease_id, queue from pgqueue_private.running where worker_id = %(worker)s;

-- name: rescue
select rescued, queues, task_ids from pgqueue_private.rescue(%(dead)s::bigint[]);

-- name: expire
select pgqueue_private.expire(1000);

-- name: promote
select moved, queues, next_due_s from pgqueue_private.promote(1000);

-- name: unblock_waiting
select moved, queues from pgqueue_private.unblock_waiting();

-- name: fold_rollups
select pgqueue_private.fold_rollups();

-- name: sample_queues
-- Every supervisor asks for it: one sample a second is enough for all.
select pgqueue_private.sample_queues()
where not exists (select from pgqueue_private.sampling as s where s.sampled_at > pgqueue.clock() - interval '1 second');

-- name: read_samples
select queue, status, n, age_s from pgqueue_private.sampled_queues();

-- name: read_unhandled
select type, sum(n)::bigint as n from pgqueue_private.unhandled group by type order by sum(n) desc, type limit 100;

-- name: watch_dead_letters
select kind, queue, message, data from pgqueue_private.watch_dead_letters();

-- name: read_dead_letter_levels
-- The 200 queues with most, and all others together.
with shown as (
    select l.queue, l.n, l.growing, row_number() over (order by l.growing desc, l.n desc, l.queue) <= 200 as by_name
    from pgqueue_private.dead_letter_level as l
)
select case when by_name then queue else '(others)' end as queue, sum(n)::bigint as n, bool_or(growing) as growing
from shown
group by 1
order by 1;

-- name: run_operations
select operation_id, operation_kind, operation_state, operation_error, worked, next_due_s from pgqueue_private.run_operations();

-- name: record_duties
select pgqueue_private.record_duties(%(runs)s::jsonb, %(run_by)s);

-- name: due_days
select day from pgqueue_private.due_days() as day;

-- name: prune_day
select did, kept from pgqueue_private.prune_day(%(day)s);

-- name: forget_day
select pgqueue_private.forget_day(%(day)s);

-- name: prune_dead_letters
select pgqueue_private.prune_dead_letters();

-- name: prune
select pgqueue_private.prune();

-- name: fold_batches
select pgqueue_private.fold_batches();

-- name: follow_up
select pgqueue_private.follow_up();

-- name: prune_batches
select pgqueue_private.prune_batches();

-- name: prune_dedup
select pgqueue_private.prune_dedup();

-- name: age_tasks
select pgqueue_private.age_tasks();

-- name: queues_empty
select pgqueue_private.queues_empty(%(queues)s, %(webhooks)s, %(types)s::text[]);

-- name: listen_ready
listen pgqueue_ready;

-- name: listen_control
listen pgqueue_control;

-- name: listen_doorbell
listen pgqueue_ready;
listen pgqueue_control;

-- name: ping
select 1;

-- name: scale
select wanted, slots, backlog, wait_s from pgqueue.scale(%(queues)s::text[], types => %(types)s::text[]);

-- name: webhooks_wait
select exists (select from pgqueue_private.ready where queue = 'pgqueue.webhooks');

-- name: webhook_request
select * from pgqueue_private.webhook_request(%(id)s);

-- name: record_delivery
select pgqueue_private.record_delivery(%(id)s, %(status)s, %(try_)s::jsonb, %(gone)s);

-- name: prune_webhooks
select pgqueue_private.prune_webhooks();
