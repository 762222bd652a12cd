-- Sends an event to the webhooks that subscribe to it, in the caller's transaction. A webhook that names queues gets
-- only the events of these, one that names types gets only events of tasks.
create or replace function pgqueue_private.tell(
    event text, at timestamptz, data json, queue text default null, subject_id uuid default null, callback_url text default null,
    user_id bigint default 0
) returns void
language sql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    select send_webhooks(coalesce(jsonb_agg(jsonb_build_object(
        'webhook_id', r.webhook_id, 'url', r.url, 'event', tell.event, 'subject_id', tell.subject_id,
        'body', webhook_body(tell.event, tell.at, tell.data)
    )), '[]'), tell.user_id)
    from (
        select w.id as webhook_id, w.url
        from webhook as w
        where w.user_id = tell.user_id and w.disabled_at is null and tell.event = any (w.events) and w.types is null
            and (w.queues is null or tell.queue = any (w.queues))
        union all
        select null, tell.callback_url where tell.callback_url is not null
    ) as r
$$;
