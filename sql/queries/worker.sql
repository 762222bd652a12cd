-- What workers and supervisors call.

-- name: skip_leases
select pgqueue.skip_leases();

-- name: claim_tasks
select
    task_id::text, lease_id, attempt, budget, crashes, priority, seq, queue, type, timeout_s, wait_s, payload,
    traceparent, watched, resumes, expired, run_at_s, batch_id::text
from
    set_config('synchronous_commit', 'off', true),  -- a lost claim is a rerun; for this transaction only, whoever is next
    pgqueue.claim(%(worker)s, %(queues)s::text[], %(cursors)s::bigint[], %(max_tasks)s);

-- name: claim_limited_tasks
select
    task_id::text, lease_id, attempt, budget, crashes, priority, seq, queue_name, type, timeout_s, wait_s, payload,
    traceparent, watched, resumes, expired, run_at_s, batch_id::text, again_s, next_turn::text
from
    set_config('synchronous_commit', 'off', true),
    pgqueue.claim_limited(%(worker)s, %(queue)s, %(max_tasks)s, %(turn)s::jsonb);

-- name: guarded_queues
select name, bool_or(paused) as paused from pgqueue.guarded_queues group by name;

-- name: finish_attempts
select refused, watched from pgqueue.finish(%(results)s, %(task_ids)s::uuid[], %(lease_ids)s::bigint[]);

-- name: record_progress
select refused, watched from pgqueue.record_progress(%(updates)s);

-- name: append_events
select watched from pgqueue.append_events(%(events)s);

-- name: save_artifact
select pgqueue.save_artifact(%(task_id)s, %(lease_id)s, %(name)s, %(content_type)s, %(data)s);

-- name: find_artifact
select file_name, content_type, size, sha256
from pgqueue.find_artifact(%(upload_id)s::uuid, %(task_id)s::uuid, %(name)s::text);

-- name: read_artifact
select pgqueue.read_artifact(%(n)s, %(upload_id)s::uuid, %(task_id)s::uuid, %(name)s::text) as data;

-- name: prune_uploads
select pgqueue.prune_uploads(100);

-- name: save_checkpoint
select pgqueue.save_checkpoint(%(task_id)s, %(lease_id)s, %(name)s, %(data)s);

-- name: load_checkpoints
select name, data::text from pgqueue.checkpoint where task_id = %(task_id)s;

-- name: load_parents
select pgqueue.parents_of(%(task_id)s);

-- name: lease_holds
select exists (select from pgqueue.running where task_id = %(task_id)s and lease_id = %(lease_id)s);

-- name: complete_attempt
select pgqueue.complete_attempt(%(task_id)s, %(lease_id)s, %(result)s, %(progress)s);

-- name: forget_session
-- what "discard all" does, but not to prepared statements: the driver would go on using them
set session authorization default;
reset all;
unlisten *;
select pg_advisory_unlock_all();
discard temp;
discard sequences;

-- name: announce_tasks
select pgqueue.announce(%(ids)s::uuid[]);

-- name: known_queues
-- webhooks are sent by a process of their own
select name
from (
    select name from pgqueue.runnable_queues() as name
    union
    select name from pgqueue.queue
) as known
where name <> 'pgqueue.webhooks';

-- name: register_worker
select pgqueue.register_worker(
    %(supervisor)s, %(host)s, %(pid)s, %(version)s, %(queues)s, %(types)s, %(concurrency)s, %(lease_s)s
);

-- name: heartbeat
select active, cancels from pgqueue.heartbeat(%(workers)s::bigint[], %(lease_s)s);

-- name: set_worker_state
select pgqueue.set_worker_state(%(worker)s, %(state)s);

-- name: held_by
select task_id::text, lease_id, queue from pgqueue.running where worker_id = %(worker)s;

-- name: rescue
select rescued, queues, task_ids from pgqueue.rescue(%(dead)s::bigint[]);

-- name: expire
select pgqueue.expire(1000);

-- name: promote
select moved, queues, next_due_s from pgqueue.promote(1000);

-- name: unblock_waiting
select moved, queues from pgqueue.unblock_waiting();

-- name: fold_rollups
select pgqueue.fold_rollups();

-- name: sample_queues
select pgqueue.sample_queues();

-- name: read_samples
select queue, status, n, extract(epoch from sampled_at - oldest_at)::float8 as age_s from pgqueue.queue_sample;

-- name: watch_dead_letters
select kind, queue, message, data from pgqueue.watch_dead_letters();

-- name: read_dead_letter_levels
select queue, n, growing from pgqueue.dead_letter_level order by queue;

-- name: run_operations
select operation_id, operation_kind, operation_state, operation_error, worked, next_due_s from pgqueue.run_operations();

-- name: bound_duty
select set_config('statement_timeout', %(statement_ms)s, true), set_config('lock_timeout', %(lock_ms)s, true);

-- name: record_duties
select pgqueue.record_duties(%(runs)s::jsonb, %(run_by)s);

-- name: due_days
select day from pgqueue.due_days() as day;

-- name: prune_day
select did, kept from pgqueue.prune_day(%(day)s);

-- name: forget_day
select pgqueue.forget_day(%(day)s);

-- name: prune_dead_letters
select pgqueue.prune_dead_letters();

-- name: prune
select pgqueue.prune();

-- name: fold_batches
select pgqueue.fold_batches();

-- name: follow_up
select pgqueue.follow_up();

-- name: prune_batches
select pgqueue.prune_batches();

-- name: prune_dedup
select pgqueue.prune_dedup();

-- name: age_tasks
select pgqueue.age_tasks();

-- name: queues_empty
select pgqueue.queues_empty(%(queues)s, %(webhooks)s);

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
select wanted, places, backlog, wait_s from pgqueue.scale(%(queues)s::text[]);

-- name: webhooks_wait
select exists (select from pgqueue.ready where queue = 'pgqueue.webhooks');

-- name: webhook_request
select * from pgqueue.webhook_request(%(id)s);

-- name: record_delivery
select pgqueue.record_delivery(%(id)s, %(status)s, %(try_)s::jsonb, %(gone)s);

-- name: prune_webhooks
select pgqueue.prune_webhooks();
