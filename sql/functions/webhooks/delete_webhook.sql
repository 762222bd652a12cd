-- Deletes a webhook and its secrets, and says whether there was one; with versions only one that is at one of these. What waits to
-- be sent to it is cancelled when it is due; what was sent stays in the log until that is pruned.
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
    'Deletes a webhook with its secrets and returns whether there was one, at one of the versions if any are given.';
