-- What was sent, or is to be: webhook_id is null for a callback_url. task_id is the task that sends it, next_attempt_at when it
-- does so next, tries the newest 20, of which response_status and the like are the last.
create or replace view pgqueue.webhook_deliveries as
select
    d.id,
    d.webhook_id,
    d.event,
    d.subject_id,
    d.url,
    -- it may have come to its end without its handler: cancelled, or crashed
    case when d.status = 'pending' then coalesce(t.ended, 'pending') else d.status end as status,
    d.attempts,
    (d.tries -> -1 -> 'response_status')::int as response_status,
    (d.tries -> -1 -> 'duration_s')::float8 as duration_s,
    d.tries -> -1 ->> 'response' as response,
    d.tries -> -1 ->> 'error' as error,
    (d.tries -> -1 ->> 'at')::timestamptz as tried_at,
    case when d.status = 'pending' then t.next_at end as next_attempt_at,
    d.tries,
    d.body,
    d.created_at,
    d.ended_at,
    d.task_id,
    d.user_id
from pgqueue_private.webhook_delivery as d
left join lateral (
    select
        case when v.status in ('failed', 'cancelled') then v.status end as ended,
        case when v.status in ('queued', 'scheduled', 'retrying', 'blocked') then coalesce(v.run_at, v.created_at) end as next_at
    from pgqueue.tasks as v
    where v.id = d.task_id and d.status = 'pending'
    limit 1
) as t on true;

comment on view pgqueue.webhook_deliveries is 'what was sent to whom, and what came back';
