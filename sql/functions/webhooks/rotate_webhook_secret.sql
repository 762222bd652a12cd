-- Replaces the secret of a webhook, or without an id that of the callback URLs, and returns the new one. For
-- overlap_s seconds, deliveries are signed with both, so that the receiver has time to change over; 0: the old one is
-- void at once. A third one that still overlaps is void at once. Raises PQ002 when there is no such webhook.
create or replace function pgqueue.rotate_webhook_secret(
    webhook_id uuid default null, overlap_s float8 default 86400, user_id bigint default 0
) returns text
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    fresh constant text := new_webhook_secret();
begin
    if not coalesce(overlap_s between 0 and 2592000, false) then
        raise exception 'overlap_s must be 0 to 2,592,000 seconds (30 days); got %', overlap_s
            using errcode = 'PQ004', hint = 'send a value in this range';
    end if;
    if rotate_webhook_secret.webhook_id is not null then
        perform from webhook as w
        where w.id = rotate_webhook_secret.webhook_id and w.user_id = rotate_webhook_secret.user_id
        for update;
        if not found then
            raise exception 'there is no webhook %', rotate_webhook_secret.webhook_id
                using errcode = 'PQ002', hint = 'it was deleted';
        end if;
    else
        perform pg_advisory_xact_lock(hashtextextended('pgqueue:callback_secret:' || rotate_webhook_secret.user_id, 0));
    end if;
    delete from webhook_secret as s
    where s.webhook_id is not distinct from rotate_webhook_secret.webhook_id and s.user_id = rotate_webhook_secret.user_id
        and (s.expires_at is not null or overlap_s = 0);
    update webhook_secret as s set expires_at = now + overlap_s * interval '1 second'
    where s.webhook_id is not distinct from rotate_webhook_secret.webhook_id and s.user_id = rotate_webhook_secret.user_id;
    insert into webhook_secret (user_id, webhook_id, secret, created_at)
    values (rotate_webhook_secret.user_id, rotate_webhook_secret.webhook_id, fresh, now);
    return fresh;
end
$$;

comment on function pgqueue.rotate_webhook_secret is
    'Replaces the secret of a webhook (null: that of the callback URLs) and returns the new one; for overlap_s '
    'seconds both sign.';
