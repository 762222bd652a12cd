-- Sends a webhook the event webhook.test, whatever it subscribes to, and returns the delivery's id. Raises PQ002 when
-- there is no such webhook, PQ003 when it is disabled.
create or replace function pgqueue.test_webhook(webhook_id uuid) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    receiver webhook;
begin
    select * into receiver from webhook as w where w.id = webhook_id;
    if not found then
        raise exception 'there is no webhook %', webhook_id using errcode = 'PQ002', hint = 'it was deleted';
    elsif receiver.disabled_at is not null then
        raise exception 'webhook % is disabled', webhook_id using errcode = 'PQ003', hint = 'enable it first';
    end if;
    return (send_webhooks(
        jsonb_build_array(jsonb_build_object(
            'webhook_id', receiver.id, 'url', receiver.url, 'event', 'webhook.test',
            'body', webhook_body('webhook.test', pgqueue.clock(), json_build_object('webhook_id', receiver.id))
        )),
        receiver.user_id
    ))[1];
end
$$;

comment on function pgqueue.test_webhook is
    'Sends a webhook the event webhook.test and returns the id of the delivery.';
