-- What was sent, or is to be sent: webhook_id is null for a callback_url. task_id is the task that sends it,
-- next_attempt_at when it does so next, tries the newest 20 tries, and response_status and the like are those of the
-- last.
create or replace view pgqueue.webhook_deliveries as
select
    d.id,
    d.webhook_id,
    d.event,
    d.subject_id,
    d.url,
    -- The task may have ended without its handler: cancelled, or crashed.
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

comment on view pgqueue.webhook_deliveries is
    'What was sent to webhooks and callback URLs, or is to be sent, and what came back.';
comment on column pgqueue.webhook_deliveries.id is 'The delivery''s id: the webhook-id of every try.';
comment on column pgqueue.webhook_deliveries.webhook_id is
    'The webhook that it is for; null: it goes to a callback_url.';
comment on column pgqueue.webhook_deliveries.event is 'What happened, such as task.failed.';
comment on column pgqueue.webhook_deliveries.subject_id is 'The task or batch that it is about; null: neither.';
comment on column pgqueue.webhook_deliveries.url is 'The URL that it is sent to.';
comment on column pgqueue.webhook_deliveries.status is 'pending, delivered, failed or cancelled.';
comment on column pgqueue.webhook_deliveries.attempts is 'How often it was sent.';
comment on column pgqueue.webhook_deliveries.response_status is
    'The HTTP status of the last try; null: there was no answer, or no try yet.';
comment on column pgqueue.webhook_deliveries.duration_s is 'How many seconds the last try took; null: no try yet.';
comment on column pgqueue.webhook_deliveries.response is 'The beginning of the body that came back; null: none.';
comment on column pgqueue.webhook_deliveries.error is 'Why the last try failed; null: it did not.';
comment on column pgqueue.webhook_deliveries.tried_at is 'When the last try was; null: no try yet.';
comment on column pgqueue.webhook_deliveries.next_attempt_at is
    'When it is tried next; null: it is not, or is being tried now.';
comment on column pgqueue.webhook_deliveries.tries is
    'The newest 20 tries, the oldest of these first, as [{at, response_status, duration_s, response, error}].';
comment on column pgqueue.webhook_deliveries.body is 'The body that is sent, to the byte.';
comment on column pgqueue.webhook_deliveries.created_at is 'When the event happened.';
comment on column pgqueue.webhook_deliveries.ended_at is 'When it was delivered or abandoned; null until then.';
comment on column pgqueue.webhook_deliveries.task_id is 'The task that sends it.';
comment on column pgqueue.webhook_deliveries.user_id is 'The user whom it belongs to; always 0 today.';
