-- Subscribes a URL to events, of all queues and types or of those named, and returns the id. It applies to what
-- happens from the commit on. Deliveries are signed with a secret of its own: see webhook_secrets().
create or replace function pgqueue.create_webhook(
    url text,
    events text[] default array['task.completed', 'task.failed', 'task.cancelled'],
    queues text[] default null,
    types text[] default null,
    description text default '',
    enabled boolean default true,
    user_id bigint default 0
) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    made webhook;
begin
    perform pg_advisory_xact_lock(hashtextextended('pgqueue:webhooks:' || user_id, 0));
    if (select count(*) from webhook as w where w.user_id = create_webhook.user_id) >= 500 then
        raise exception 'there are 500 webhooks' using errcode = 'PQ003', hint = 'delete some that nobody needs';
    end if;
    made := (
        new_id(id_bits(pgqueue.clock()), 1), user_id, pgqueue.clock(), 1,
        case when not enabled then pgqueue.clock() end, case when not enabled then 'made so' end,
        url, coalesce(description, ''), events, queues, types
    );
    perform webhook_fits(made.url, made.events, made.queues, made.types, made.description);
    insert into webhook select made.*;
    insert into webhook_secret (user_id, webhook_id, secret, created_at)
    values (user_id, made.id, new_webhook_secret(), made.created_at);
    return made.id;
end
$$;

comment on function pgqueue.create_webhook is
    'Subscribes a URL to events of all queues and types (null) or of those given, and returns the id of the webhook.';
