-- What the HTTP API calls. JSON comes as text that the database made: the API never decodes the contents of tasks.

-- name: submit_tasks
select ids::text[], pgqueue_private.json_time(created_at) as created_at, queues
from pgqueue.enqueue_many(%(tasks)s::jsonb, %(user_id)s);

-- name: submit_unique
select ids::text[], pgqueue_private.json_time(created_at) as created_at, queues, verdicts
from pgqueue.enqueue_unique(%(tasks)s::jsonb, %(user_id)s, %(strict)s);

-- name: submit_idempotent
select verdict, ids::text[], pgqueue_private.json_time(created_at) as created_at, queues, verdicts
from pgqueue_private.enqueue_idempotent(
    %(key)s, %(request_hash)s, %(tasks)s::jsonb, %(places)s::int[], %(asked)s, %(user_id)s, %(strict)s
);

-- name: due_times
select pgqueue_private.json_time(pgqueue.clock() + delay_s * interval '1 second') as run_at
from unnest(%(delays)s::float8[]) with ordinality as d (delay_s, n)
order by n;

-- name: ring_submitted
select
    exists (select from pgqueue_private.listener where expires_at > pgqueue.clock()) as heard,
    pgqueue_private.ring(%(queues)s::text[]),
    case when exists (
        select from pgqueue_private.listener where channel = 'pgqueue_event' and expires_at > pgqueue.clock()
    ) then pgqueue_private.announce(%(ids)s::uuid[]) end;

-- name: task_states
select id::text, queue, type, status, etag, state from pgqueue_private.task_states(%(ids)s::uuid[]);

-- name: list_tasks
select items, next_before::text, searched_until
from pgqueue_private.list_tasks(
    %(filter)s::jsonb, %(from_at)s::timestamptz, %(to_at)s::timestamptz, %(before)s::uuid, %(max_rows)s
);

-- name: task_changes
select * from pgqueue_private.task_changes(%(watched)s::jsonb);

-- name: task_attempts
-- The latest, of 4 MiB together at most.
select p.item
from (
    select a.item, sum(octet_length(a.item)) over (order by a.lease_id desc) as bytes
    from (
        select a.lease_id, json_build_object(
            'task_id', a.task_id, 'lease_id', a.lease_id, 'attempt', a.attempt, 'outcome', a.outcome, 'final', a.final,
            'result', a.result, 'error', a.error, 'worker', a.worker,
            'started_at', pgqueue_private.json_time(a.started_at), 'finished_at', pgqueue_private.json_time(a.finished_at)
        )::text as item
        from pgqueue.attempts as a
        where a.task_id = %(id)s
        order by a.lease_id desc
        limit %(max_rows)s
    ) as a
) as p
where p.bytes <= 4194304 or p.bytes = octet_length(p.item);

-- name: explain_task
select json_build_object(
    'id', t.id, 'status', t.status, 'at', pgqueue_private.json_time(pgqueue.clock()), 'why', (array_agg(e.message order by e.n))[1],
    'earliest_start_at', pgqueue_private.json_time((array_agg(e.earliest_start_at order by e.n))[1]),
    'reasons', json_agg(json_build_object(
        'code', e.code, 'message', e.message, 'earliest_start_at', pgqueue_private.json_time(e.earliest_start_at), 'details', e.details
    ) order by e.n)
)::text as item
from pgqueue.explain(%(id)s) with ordinality as e (code, message, earliest_start_at, details, n)
cross join lateral (select v.id, v.status from pgqueue.tasks as v where v.id = %(id)s) as t
group by t.id, t.status;

-- name: task_checkpoints
select json_build_object(
    'name', c.name, 'attempt', c.attempt, 'lease_id', c.lease_id, 'at', pgqueue_private.json_time(c.at), 'size', c.size, 'data', c.data
)::text as item
from pgqueue.checkpoints as c
where c.task_id = %(id)s
order by c.name
limit 1000;

-- name: task_exists
select 1 as found from pgqueue_private.task where id = %(id)s;

-- name: task_logs
-- Of 4 MiB together at most: the item of the first one beyond is null.
select p.lease_id, p.seq, case when p.bytes <= 4194304 or p.bytes = octet_length(p.item) then p.item end as item
from (
    select e.lease_id, e.seq, e.item, sum(octet_length(e.item)) over (order by e.lease_id, e.seq) as bytes
    from (
        select
            e.lease_id, e.seq,
            pgqueue_private.log_json(e.task_id, e.lease_id, e.seq, e.at, e.level, e.message, e.data) as item
        from pgqueue_private.task_event as e
        where e.task_id = %(id)s and (e.lease_id, e.seq) > (%(lease_id)s, %(seq)s) and e.type = 'log'
        order by e.lease_id, e.seq
        limit %(max_rows)s
    ) as e
) as p
where p.bytes - octet_length(p.item) <= 4194304;

-- name: task_artifacts
select json_build_object(
    'name', name, 'content_type', content_type, 'size', size, 'sha256', encode(sha256, 'hex'),
    'created_at', pgqueue_private.json_time(created_at), 'href', '/v1/tasks/' || task_id || '/artifacts/' || name
)::text as item
from pgqueue_private.artifact
where task_id = %(id)s
order by name
limit 1000;

-- name: artifact_head
select content_type, size, encode(sha256, 'hex') as sha256 from pgqueue_private.artifact where task_id = %(id)s and name = %(name)s;

-- name: file_piece
-- 256 KiB of a file, from a byte of its n-th MiB on, if the file is still the same.
select substr(c.data, %(start)s::int + 1, 262144) as data
from pgqueue_private.upload as u
join pgqueue_private.upload_chunk as c on c.upload_id = u.id
where u.id = %(upload_id)s::uuid and u.sha256 = decode(%(sha256)s, 'hex') and c.n = %(n)s::int
union all
select substr(a.data, %(n)s::int * 1048576 + %(start)s::int + 1, 262144)
from pgqueue_private.artifact as a
where a.task_id = %(task_id)s::uuid and a.name = %(name)s and a.sha256 = decode(%(sha256)s, 'hex');

-- name: upload_usage
select coalesce(sum(size), 0)::bigint as bytes from pgqueue_private.upload;

-- name: begin_upload
select pgqueue_private.begin_upload(%(name)s, %(content_type)s, %(within_s)s)::text as id;

-- name: append_upload
select pgqueue_private.append_upload(%(id)s, %(n)s, %(data)s);

-- name: finish_upload
select pgqueue_private.finish_upload(%(id)s, %(size)s, %(sha256)s, %(keep_s)s);

-- name: delete_upload
select pgqueue_private.delete_upload(%(id)s) as deleted;

-- name: upload_state
select json_build_object(
    'id', id, 'name', name, 'content_type', content_type, 'size', size, 'sha256', sha256,
    'created_at', pgqueue_private.json_time(created_at), 'expires_at', pgqueue_private.json_time(expires_at),
    'href', '/v1/artifacts/' || id || '/content'
)::text as item
from pgqueue.uploads
where id = %(id)s and state = 'there' and expires_at > pgqueue.clock();

-- name: known_types
select
    name, queue, max_attempts, retry::text as retry, timeout_s, description, payload_schema::text as payload_schema,
    result_schema::text as result_schema, pgqueue_private.json_time(updated_at) as updated_at
from pgqueue_private.task_type
order by name;

-- name: list_queues
-- Of 4 MiB together at most.
select p.item, p.version, p.state
from (
    select l.*, sum(octet_length(l.item)) over (order by l.place) as bytes
    from (
        select q.name as place, json_build_object(
            'name', q.name, 'queued', q.queued, 'scheduled', q.scheduled, 'retrying', q.retrying, 'blocked', q.blocked,
            'active', q.active, 'oldest_queued_at', pgqueue_private.json_time(q.oldest_queued_at), 'workers', q.workers,
            'dead_letters', q.dead_letters, 'sampled_at', pgqueue_private.json_time(q.sampled_at),
            'created_at', pgqueue_private.json_time(q.created_at),
            'version', q.version, 'max_attempts', q.max_attempts, 'retry', q.retry, 'ageing_s', q.ageing_s,
            'concurrency', q.concurrency, 'rate', q.rate, 'per_key', q.per_key,
            'slowed_until', pgqueue_private.json_time(q.slowed_until), 'slowed_reason', q.slowed_reason,
            'fairness', q.fairness, 'retention', q.retention, 'paused', q.paused,
            'paused_at', pgqueue_private.json_time(q.paused_at),
            'paused_by', q.paused_by, 'paused_reason', q.paused_reason, 'state', q.state, 'still_running', q.still_running
        )::text as item, q.version, q.state
        from pgqueue.queues as q
        where %(name)s::text is null or q.name = %(name)s
        order by q.name
        limit 1000
    ) as l
) as p
where p.bytes <= 4194304 or p.bytes = octet_length(p.item)
order by p.place;

-- name: list_limits
select l.name, json_build_object(
    'name', l.name, 'concurrency', l.concurrency, 'rate', l.rate, 'slowed_until', pgqueue_private.json_time(l.slowed_until),
    'slowed_reason', l.slowed_reason, 'version', l.version, 'created_at', pgqueue_private.json_time(l.created_at)
)::text as item
from pgqueue.limits as l
where l.name > %(after)s
order by l.name
limit %(max_rows)s;

-- name: get_limit
select l.version, json_build_object(
    'name', l.name, 'concurrency', l.concurrency, 'rate', l.rate, 'slowed_until', pgqueue_private.json_time(l.slowed_until),
    'slowed_reason', l.slowed_reason, 'version', l.version, 'created_at', pgqueue_private.json_time(l.created_at)
)::text as item
from pgqueue.limits as l
where l.name = %(name)s;

-- name: queue_exists
select 1 as found from pgqueue_private.queue where name = %(name)s;

-- name: pause
select pgqueue.pause(%(name)s, %(reason)s, %(paused_by)s);

-- name: resume
select pgqueue.resume(%(name)s);

-- name: scale_queue
select json_build_object(
    'queue', q.name, 'at', pgqueue_private.json_time(pgqueue.clock()), 'wanted', s.wanted, 'active', s.active, 'backlog', s.backlog,
    'backlog_exact', s.backlog_exact, 'startable', s.startable, 'wait_s', s.wait_s, 'workers', s.workers, 'slots', s.slots
)::text as item
from pgqueue_private.queue as q
cross join lateral pgqueue.scale(array[q.name], %(patience_s)s::float8) as s
where q.name = %(name)s;

-- name: queue_budgets
select name, max_attempts from pgqueue_private.queue where max_attempts is not null;

-- name: list_workers
-- Of 4 MiB together at most.
select p.item
from (
    select l.*, sum(octet_length(l.item)) over (order by l.place desc) as bytes
    from (
        select w.id as place, json_build_object(
            'id', w.id, 'worker', w.worker, 'state', w.state, 'supervisor', w.supervisor, 'host', w.host, 'pid', w.pid,
            'version', w.version, 'queues', w.queues, 'types', w.types, 'concurrency', w.concurrency, 'active', w.active,
            'started_at', pgqueue_private.json_time(w.started_at), 'heartbeat_at', pgqueue_private.json_time(w.heartbeat_at),
            'expires_at', pgqueue_private.json_time(w.expires_at)
        )::text as item
        from pgqueue.workers as w
        where w.state in ('active', 'draining') or %(gone_too)s
        order by w.id desc
        limit 1000
    ) as l
) as p
where p.bytes <= 4194304 or p.bytes = octet_length(p.item)
order by p.place desc;

-- name: listen_hub
listen pgqueue_event;
listen pgqueue_control;

-- name: stats
select pgqueue_private.stats(%(window_s)s::int, %(type)s::text, %(queue)s::text, %(uptime_s)s::float8) as item;

-- name: queue_activity
select snapshot, active from pgqueue_private.queue_activity(%(queue)s, %(type)s, %(max_tasks)s);

-- name: tail_logs
select xid::text, task_id::text, lease_id, seq, line
from pgqueue_private.tail_logs(
    %(xid)s::xid8, %(task_id)s::uuid, %(lease_id)s, %(seq)s, %(queue)s, %(type)s, %(max_lines)s
);

-- name: changed_states
select s.id::text, s.status, s.state
from pgqueue_private.task_states(%(ids)s::uuid[]) as s
where (%(queue)s::text is null or s.queue = %(queue)s) and (%(type)s::text is null or s.type = %(type)s);

-- name: list_dead_letters
select items, (extract(epoch from next_at) * 1000000)::bigint as next_us, next_id::text
from pgqueue_private.list_dead_letters(
    %(filter)s::jsonb, timestamptz 'epoch' + %(place_us)s::bigint * interval '1 microsecond', %(place_id)s::uuid, %(max_rows)s
);

-- name: group_dead_letters
select items, searched_until from pgqueue_private.group_dead_letters(%(filter)s::jsonb, %(max_groups)s);

-- name: dead_letter_states
select state from pgqueue_private.dead_letter_states(%(ids)s::uuid[]);

-- name: delete_dead_letter
select pgqueue.delete_dead_letter(%(id)s) as deleted;

-- name: redrive
select pgqueue.redrive(%(id)s)::text as redriven_as;

-- name: list_dead_letter_policies
select json_build_object(
    'queue', queue, 'retention_s', extract(epoch from retention), 'growth_limit', growth_limit, 'alert_type', alert_type
)::text as item
from pgqueue.dead_letter_policies
order by queue
limit 1000;

-- name: set_dead_letter_policy
select pgqueue.set_dead_letter_policy(
    %(queue)s, make_interval(secs => %(retention_s)s::float8), %(growth_limit)s::int, %(alert_type)s
);

-- name: reset_dead_letter_policy
select pgqueue.reset_dead_letter_policy(%(queue)s);

-- name: list_notices
select id, json_build_object(
    'id', id, 'at', pgqueue_private.json_time(at), 'kind', kind, 'queue', queue, 'message', message, 'data', data
)::text as item
from pgqueue.notices
where %(before)s::bigint is null or id < %(before)s
order by id desc
limit %(max_rows)s;

-- name: preview_operation
select json_build_object(
    'dry_run', true, 'kind', %(kind)s::text, 'matched', count, 'matched_exact', exact, 'sample', sample
)::text as item
from pgqueue.preview_operation(%(kind)s, %(filter)s::jsonb);

-- name: start_operation
select pgqueue.start_operation(%(kind)s, %(filter)s::jsonb, %(per_second)s, %(reason)s, %(requested_by)s)::text as id;

-- name: cancel_operation
select pgqueue.cancel_operation(%(id)s);

-- name: operation_states
-- Of 4 MiB together at most: the item of the first one beyond is null.
select p.id, p.state, case when p.bytes <= 4194304 or p.bytes = octet_length(p.item) then p.item end as item
from (
    select
        o.operation_id::text as id, o.operation_state as state, o.item,
        sum(octet_length(o.item)) over (order by o.operation_id desc) as bytes
    from pgqueue_private.operation_states(%(id)s::uuid, %(kind)s, %(state)s, %(before)s::uuid, %(max_rows)s) as o
) as p
where p.bytes - octet_length(p.item) <= 4194304;

-- name: batch_states
-- Of 4 MiB together at most: the item of the first one beyond is null.
select p.id, p.status, case when p.bytes <= 4194304 or p.bytes = octet_length(p.item) then p.item end as item
from (
    select
        b.batch_id::text as id, b.batch_status as status, b.item,
        sum(octet_length(b.item)) over (order by b.batch_id desc) as bytes
    from pgqueue_private.batch_states(%(id)s::uuid, %(status)s, %(parent_id)s::uuid, %(before)s::uuid, %(max_rows)s) as b
) as p
where p.bytes - octet_length(p.item) <= 4194304;

-- name: batch_tasks
select items, next::text from pgqueue_private.batch_tasks(%(id)s::uuid, %(status)s, %(after)s::uuid, %(max_rows)s);

-- name: task_graph
select pgqueue.task_graph(%(id)s) as graph;
