-- Every task with its current status and everything that people ask about it. A token says where a task is; where
-- there is none, its last attempt says how it ended.
create or replace view pgqueue.tasks as
select
    t.id,
    t.type,
    t.queue,
    case
        when r.task_id is not null then 'active'
        when d.task_id is not null then d.status
        when q.task_id is not null or last.final is not true then 'queued'
        when last.outcome in ('completed', 'cancelled') then last.outcome
        else 'failed'
    end as status,
    case
        when r.task_id is not null then case when r.cancel_requested then 'cancel requested' end
        when d.task_id is not null then coalesce(d.reason, case d.status
            when 'scheduled' then 'waits until ' || to_char(d.run_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            when 'blocked' then case
                when d.limit_key is not null then coalesce(
                    (
                        select pgqueue_private.slowed_text('limit_key ' || d.limit_key, s.slowed_until, s.slowed_reason)
                        from pgqueue_private.key_limits(d.queue, d.limit_key) as s
                    ),
                    'waits for room under its limit_key ' || d.limit_key
                )
                else coalesce(
                    (
                        select 'waits for ' || case count(*) when 1 then 'a task' else count(*) || ' tasks' end
                        from pgqueue_private.blocker as b
                        where b.child_id = t.id
                        having count(*) > 0
                    ),
                    'waits for others'
                )
            end
            when 'retrying' then 'retries at ' || to_char(d.run_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        end)
        when q.task_id is not null or last.final is not true then coalesce(
            (
                select
                    'queue ' || k.name || ' is paused by ' || coalesce(k.paused_by, 'someone')
                    || to_char(k.paused_at at time zone 'utc', '" since "YYYY-MM-DD"T"HH24:MI:SS"Z"')
                    || coalesce(': ' || k.paused_reason, '')
                from pgqueue_private.queue as k
                where k.name = t.queue and k.paused_at is not null
            ),
            (
                select pgqueue_private.slowed_text('queue ' || k.name, k.slowed_until, k.slowed_reason)
                from pgqueue_private.queue as k
                where k.name = t.queue and k.slowed_until is not null
            ),
            (
                select 'no live worker of queue ' || t.queue || ' has type ' || t.type
                from pgqueue_private.worker as w
                where w.state = 'active' and w.expires_at > pgqueue.clock() and (w.queues = '{}' or t.queue = any (w.queues))
                having not bool_or(t.type = any (w.types))
            ),
            q.reason, case when q.priority < t.priority then 'raised to priority ' || q.priority || ' by its age' end
        )
        when last.final and last.outcome <> 'completed' then coalesce(last.error ->> 'message', last.outcome)
    end as status_reason,
    t.priority,
    t.payload,
    case when q.task_id is null and r.task_id is null and d.task_id is null and last.final then last.result end as result,
    case when q.task_id is not null or r.task_id is not null or last.outcome = 'completed' then null else last.error end as error,
    coalesce(r.attempt, d.attempt, q.attempt, last.attempt, 0::smallint) as attempt,
    t.max_attempts,
    case when r.task_id is not null then r.progress else last.progress end as progress,
    t.created_at,
    coalesce(nullif(d.run_at, 'infinity'), t.run_at) as run_at,
    coalesce(r.started_at, last.started_at) as started_at,
    case when q.task_id is null and r.task_id is null and d.task_id is null and last.final then last.finished_at end as finished_at,
    case when d.status = 'retrying' then d.run_at end as next_retry_at,
    coalesce(r.crashes, d.crashes, q.crashes, case when last.final then (
        select count(*)::smallint from pgqueue_private.attempt as a where a.task_id = t.id and a.outcome = 'crashed'
    ) end, 0::smallint) as crash_count,
    coalesce(r.lease_id, last.lease_id) as lease_id,
    t.timeout_s,
    t.user_id,
    t.batch_id,
    t.traceparent,
    t.expires_at,
    t.retry,
    t.dedup_key,
    t.limit_key,
    coalesce(t.cost, 1::smallint) as cost,
    t.fairness_key,
    t.callback_url,
    coalesce(t.tags, '{}') as tags
from pgqueue_private.task as t
left join pgqueue_private.running as r on r.task_id = t.id
left join pgqueue_private.delayed as d on d.task_id = t.id
left join pgqueue_private.ready as q on q.task_id = t.id and q.requeued
left join lateral (
    select a.*
    from pgqueue_private.attempt as a
    where a.task_id = t.id
    order by a.lease_id desc
    limit 1
) as last on true;

comment on view pgqueue.tasks is 'Every task with its status now.';
comment on column pgqueue.tasks.id is 'The task''s id, a UUIDv7: ids sort by the time of enqueue.';
comment on column pgqueue.tasks.type is 'Which handler runs it.';
comment on column pgqueue.tasks.queue is 'The queue that it is in.';
comment on column pgqueue.tasks.status is
    'scheduled, queued, blocked, active, retrying, completed, failed or cancelled.';
comment on column pgqueue.tasks.status_reason is
    'Why it has this status, in plain words; null if there is nothing to say.';
comment on column pgqueue.tasks.priority is '0 (first) to 10 (last).';
comment on column pgqueue.tasks.payload is 'What the handler gets.';
comment on column pgqueue.tasks.result is 'What the handler returned; null until the task has completed.';
comment on column pgqueue.tasks.error is
    'Why its last attempt failed, as {type, message, traceback}; null while it is queued or active, and once it '
    'has completed.';
comment on column pgqueue.tasks.attempt is 'How many attempts have started.';
comment on column pgqueue.tasks.max_attempts is 'How many attempts may start before a failure is final.';
comment on column pgqueue.tasks.progress is
    'What the handler reported last, as {percent, message, at}; null if it reported nothing.';
comment on column pgqueue.tasks.created_at is 'When it was enqueued.';
comment on column pgqueue.tasks.run_at is 'The time before which it does not run; null: it may run at once.';
comment on column pgqueue.tasks.started_at is 'When its latest attempt started; null before the first.';
comment on column pgqueue.tasks.finished_at is 'When it ended; null until then.';
comment on column pgqueue.tasks.next_retry_at is 'When it is tried again; null unless it is retrying.';
comment on column pgqueue.tasks.crash_count is 'How often the process that ran it died.';
comment on column pgqueue.tasks.lease_id is 'The lease of its latest attempt; null before the first.';
comment on column pgqueue.tasks.timeout_s is 'How many seconds an attempt may take; null: as long as its type says.';
comment on column pgqueue.tasks.user_id is 'The user who submitted it over HTTP; 0: nobody who is known.';
comment on column pgqueue.tasks.batch_id is 'The batch that it belongs to; null: none.';
comment on column pgqueue.tasks.traceparent is 'The W3C trace context that it was enqueued with; null: none.';
comment on column pgqueue.tasks.expires_at is 'It is cancelled if it has not started by then; null: never.';
comment on column pgqueue.tasks.retry is 'Its own retry policy; null: that of its type or queue.';
comment on column pgqueue.tasks.dedup_key is 'The key that keeps it unique; null: none.';
comment on column pgqueue.tasks.limit_key is
    'The key whose limits it counts against, beside those of its queue; null: none.';
comment on column pgqueue.tasks.cost is 'How much of each limit it takes.';
comment on column pgqueue.tasks.fairness_key is 'With whom it takes turns in a fair queue; null: its user.';
comment on column pgqueue.tasks.callback_url is 'The URL that gets a signed POST when it ends; null: none.';
comment on column pgqueue.tasks.tags is 'The words by which people find it.';
