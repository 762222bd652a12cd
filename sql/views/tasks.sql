-- Every task with its status now and all that a person asks of it. A token says where a task is; where there is
-- none, its last attempt tells how it ended.
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
    t.callback_url
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

comment on view pgqueue.tasks is 'every task with its status now';
