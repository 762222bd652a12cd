-- What the library calls.

-- name: enqueue_tasks
select ids::text[], queues from pgqueue.enqueue_many(%(tasks)s);

-- name: enqueue_and_ring
select e.ids::text[], e.queues, pgqueue.ring(e.queues) from pgqueue.enqueue_many(%(tasks)s) as e;

-- name: ring
select pgqueue.ring(%(queues)s);

-- name: get_task
select * from pgqueue.tasks where id = %(id)s;

-- name: cancel_task
select pgqueue.cancel(%(id)s, %(reason)s);

-- name: retry_task
select pgqueue.retry(%(id)s);

-- name: patch_queue
select pgqueue.patch_queue(%(name)s, %(settings)s::jsonb, %(versions)s::bigint[]) as version;

-- name: listen_events
listen pgqueue_event;

-- name: listen_on
select pgqueue.listen(%(name)s, %(channel)s, %(seconds)s);

-- name: register_types
select pgqueue.publish_types(%(types)s);
