-- What the library calls.

-- name: enqueue_tasks
select ids::text[], queues from pgqueue.enqueue_many(%(tasks)s);

-- name: enqueue_and_ring
select e.ids::text[], e.queues, pgqueue_private.ring(e.queues) from pgqueue.enqueue_many(%(tasks)s) as e;

-- name: enqueue_unique_and_ring
select e.ids::text[], e.verdicts, pgqueue_private.ring(e.queues) from pgqueue.enqueue_unique(%(tasks)s) as e;

-- name: update_task
select pgqueue.update_task(
    %(id)s,
    %(priority)s::int,
    coalesce(%(run_at)s::timestamptz, pgqueue.clock() + %(delay_s)s::float8 * interval '1 second'),
    %(if_match)s::text[]
) as status;

-- name: ring
select pgqueue_private.ring(%(queues)s);

-- name: get_task
select * from pgqueue.tasks where id = %(id)s;

-- name: is_pruned
select pgqueue.is_pruned(%(id)s) as pruned;

-- name: cancel_task
select pgqueue.cancel(%(id)s, %(reason)s);

-- name: retry_task
select pgqueue.retry(%(id)s);

-- name: patch_queue
select pgqueue.patch_queue(%(name)s, %(settings)s::jsonb, %(versions)s::bigint[]) as version;

-- name: get_queue
select * from pgqueue.queues where name = %(name)s;

-- name: pause_queue
select pgqueue.pause(%(name)s, %(reason)s, %(paused_by)s);

-- name: resume_queue
select pgqueue.resume(%(name)s);

-- name: patch_limit
select pgqueue.patch_limit(%(name)s, %(settings)s::jsonb, %(versions)s::bigint[]) as version;

-- name: delete_limit
select pgqueue.delete_limit(%(name)s, %(versions)s::bigint[]) as deleted;

-- name: listen_events
listen pgqueue_event;

-- name: echo
-- A server that takes no writes sends nothing, so its listeners notice.
select pg_notify('pgqueue_control', %(payload)s) where not current_setting('transaction_read_only')::boolean;

-- name: listen_on
select pgqueue_private.listen(%(name)s, %(channel)s, %(seconds)s);

-- name: register_types
select pgqueue_private.publish_types(%(types)s);

-- name: find_dead_letters
select d.*, s.at as place_at, s.id as place_id, s.ended as place_ended
from pgqueue_private.scan_dead_letters(%(filter)s::jsonb, %(at)s::timestamptz, %(id)s::uuid, false, %(max_rows)s, 2000) as s
left join pgqueue.dead_letters as d on d.id = any (s.ids)
order by d.failed_at desc, d.id desc;

-- name: redrive_task
select pgqueue.redrive(%(id)s)::text;

-- name: begin_operation
select pgqueue.start_operation(%(kind)s, %(filter)s::jsonb, %(per_second)s, %(reason)s, %(requested_by)s) as id;

-- name: look_ahead
select count as matched, exact as matched_exact, sample from pgqueue.preview_operation(%(kind)s, %(filter)s::jsonb);

-- name: get_operation
select * from pgqueue.operations where id = %(id)s;

-- name: find_operations
select * from pgqueue.operations
where %(before)s::uuid is null or id < %(before)s
order by id desc
limit least(%(max_rows)s, 1000);

-- name: stop_operation
select pgqueue.cancel_operation(%(id)s);

-- name: create_batch
select id, task_ids from pgqueue.create_batch(
    %(name)s, %(tasks)s::jsonb, %(metadata)s::jsonb, %(on_success)s::jsonb, %(on_failure)s::jsonb, %(on_complete)s::jsonb,
    %(parent_id)s::uuid, %(open)s::boolean, %(callback_url)s, %(user_id)s
);

-- name: get_batch
select * from pgqueue.batches where id = %(id)s;

-- name: find_batches
select * from pgqueue.batches
where %(before)s::uuid is null or id < %(before)s
order by id desc
limit least(%(max_rows)s, 1000);

-- name: add_to_batch
select pgqueue.add_to_batch(%(id)s, %(tasks)s::jsonb)::text[] as ids;

-- name: close_batch
select pgqueue.close_batch(%(id)s) as status;

-- name: cancel_batch
select pgqueue.cancel_batch(%(id)s, %(reason)s, %(requested_by)s)::text as id;

-- name: retry_batch
select pgqueue.retry_batch(%(id)s, %(requested_by)s)::text as id;
