-- What the task that sends a delivery needs: the URL, the body, and the signing secrets. verdict: send; or why not:
-- gone (there is no such delivery any more), delivered (it was already), disabled (its webhook is disabled or was
-- deleted). timestamp: the time of this try, by the service's clock.
create or replace function pgqueue_private.webhook_request(
    delivery_id uuid, out verdict text, out url text, out body text, out secrets text[], out "timestamp" bigint
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    delivery webhook_delivery;
    receiver webhook;
begin
    select * into delivery from webhook_delivery as d where d.id = delivery_id;
    if not found then
        verdict := 'gone';
        return;
    elsif delivery.status = 'delivered' then
        verdict := 'delivered';
        return;
    end if;
    url := delivery.url;
    if delivery.webhook_id is not null then
        select * into receiver from webhook as w where w.id = delivery.webhook_id;
        if not found or receiver.disabled_at is not null then
            verdict := 'disabled';
            return;
        end if;
        url := receiver.url;
    end if;
    verdict := 'send';
    body := delivery.body;
    secrets := array(select s.secret from webhook_secrets(delivery.webhook_id, delivery.user_id) as s);
    "timestamp" := extract(epoch from pgqueue.clock());
end
$$;
