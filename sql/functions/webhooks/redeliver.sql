-- Sends a delivery again, under the same webhook-id, and keeps all its earlier tries. Raises PQ002 when the delivery
-- is no longer stored, PQ003 while it is still being tried, or when its webhook is disabled or deleted.
create or replace function pgqueue.redeliver(delivery_id uuid) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    delivery webhook_delivery;
    receiver webhook;
begin
    select * into delivery from webhook_delivery as d where d.id = delivery_id for update;
    if not found then
        raise exception 'there is no delivery %', delivery_id using errcode = 'PQ002', hint = 'it was pruned';
    end if;
    if (select v.status from webhook_deliveries as v where v.id = delivery_id) = 'pending' then
        raise exception 'delivery % is still being tried', delivery_id
            using errcode = 'PQ003', hint = 'select pgqueue.retry(task_id) tries it now';
    end if;
    if delivery.webhook_id is not null then
        select * into receiver from webhook as w where w.id = delivery.webhook_id;
        if not found or receiver.disabled_at is not null then
            raise exception 'the webhook of delivery % is %', delivery_id, case when receiver.id is null then 'deleted' else 'disabled' end
                using errcode = 'PQ003', hint = 'enable it first';
        end if;
    end if;
    delete from dead_letter as l where l.task_id = delivery.task_id;  -- the delivery is pending again
    perform send_webhooks(
        jsonb_build_array(jsonb_build_object(
            'id', delivery.id, 'webhook_id', delivery.webhook_id, 'url', coalesce(receiver.url, delivery.url), 'event', delivery.event,
            'subject_id', delivery.subject_id, 'body', delivery.body
        )),
        delivery.user_id
    );
end
$$;

comment on function pgqueue.redeliver is 'Sends a delivery again, under the same webhook-id.';
