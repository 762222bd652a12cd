-- The first message of a stream over many tasks, as JSON text: the sampled depth of the queues, and the tasks that
-- are active now, at most max_tasks of them, latest first. A null filter matches everything.
create or replace function pgqueue_private.queue_activity(queue text, type text, max_tasks int, out snapshot text, out active text[])
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    active := array(
        select r.task_id::text from running as r
        where (queue_activity.queue is null or r.queue = queue_activity.queue)
            and (queue_activity.type is null or r.type = queue_activity.type)
        order by r.task_id desc
        limit max_tasks
    );
    snapshot := json_build_object(
        'at', json_time(pgqueue.clock()),
        'queues', coalesce((
            select json_agg(json_build_object(
                'name', q.name, 'queued', q.queued, 'scheduled', q.scheduled, 'retrying', q.retrying, 'blocked', q.blocked, 'active', q.active,
                'oldest_queued_at', json_time(q.oldest_queued_at), 'workers', q.workers, 'sampled_at', json_time(q.sampled_at),
                'state', q.state, 'paused_at', json_time(q.paused_at), 'paused_by', q.paused_by, 'paused_reason', q.paused_reason
            ) order by q.name)
            from (
                select * from queues as v where queue_activity.queue is null or v.name = queue_activity.queue
                order by v.name limit 200
            ) as q
        ), '[]'),
        'active', coalesce((
            select json_agg(json_build_object(
                'id', r.task_id, 'type', r.type, 'queue', r.queue, 'attempt', r.attempt, 'progress', r.progress,
                'started_at', json_time(r.started_at)
            ) order by r.task_id desc)
            from running as r
            where r.task_id = any (active::uuid[])
        ), '[]')
    )::text;
end
$$;
