-- Every webhook: where it leads and what it is told of. Its secrets are not here: see webhook_secrets().
create or replace view pgqueue.webhooks as
select
    w.id, w.url, w.description, w.events, w.queues, w.types, w.disabled_at is null as enabled, w.disabled_at, w.disabled_reason,
    w.version, w.created_at, w.user_id
from pgqueue_private.webhook as w;

comment on view pgqueue.webhooks is 'who is told of what';
