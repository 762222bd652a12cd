-- The secrets that sign what is sent to a webhook, newest first: the current one, and one that was replaced until it
-- expires. Without an id: those of the callback URLs of tasks and batches; the first is created here if there is none
-- yet.
create or replace function pgqueue.webhook_secrets(webhook_id uuid default null, user_id bigint default 0)
returns table (secret text, created_at timestamptz, expires_at timestamptz)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if webhook_secrets.webhook_id is null then
        insert into webhook_secret (user_id, secret, created_at)
        values (webhook_secrets.user_id, new_webhook_secret(), pgqueue.clock())
        on conflict do nothing;
    end if;
    return query
    select s.secret, s.created_at, s.expires_at
    from webhook_secret as s
    where s.webhook_id is not distinct from webhook_secrets.webhook_id and s.user_id = webhook_secrets.user_id
        and (s.expires_at is null or s.expires_at > pgqueue.clock())
    order by s.expires_at desc nulls first, s.created_at desc;
end
$$;

comment on function pgqueue.webhook_secrets is
    'Returns the secrets that sign what is sent to a webhook (null: to callback URLs), newest first.';
