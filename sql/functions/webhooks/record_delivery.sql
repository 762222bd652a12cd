-- Adds a try to the log of its delivery, whose status it sets. gone: the receiver answered 410, so its webhook is
-- disabled. A try has response_status, duration_s, response (the beginning of the answer) and error; each may be
-- null.
create or replace function pgqueue_private.record_delivery(
    delivery_id uuid, status text, try jsonb default null, gone boolean default false
) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    receiver uuid;
begin
    update webhook_delivery as d set
        status = record_delivery.status,
        ended_at = case when record_delivery.status <> 'pending' then now end,
        attempts = d.attempts + (try is not null)::int,
        tries = case
            when try is null then d.tries
            else jsonb_path_query_array(d.tries, '$[last - 18 to last]') || (jsonb_build_object('at', json_time(now)) || try)
        end
    where d.id = delivery_id
    returning d.webhook_id into receiver;
    if gone then
        update webhook as w set
            disabled_at = now, disabled_reason = 'its receiver answered 410 Gone', version = w.version + 1
        where w.id = receiver and w.disabled_at is null;
    end if;
end
$$;
