-- Deletes a webhook and its secrets, and returns whether it did; with versions, only if its version is one of these.
-- Pending deliveries are cancelled when they are due; sent ones stay in the log until that is pruned.
create or replace function pgqueue.delete_webhook(id uuid, versions bigint[] default null) returns boolean
language sql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    with gone as (
        delete from webhook as w
        where w.id = delete_webhook.id and (versions is null or w.version = any (versions))
        returning w.id
    )
    select exists (select from gone)
$$;

comment on function pgqueue.delete_webhook is
    'Deletes a webhook with its secrets, only at one of the versions if any are given, and returns whether it did.';
