-- Every webhook: its URL and what it subscribes to. It has no secrets here: see webhook_secrets().
create or replace view pgqueue.webhooks as
select
    w.id, w.url, w.description, w.events, w.queues, w.types, w.disabled_at is null as enabled, w.disabled_at, w.disabled_reason,
    w.version, w.created_at, w.user_id
from pgqueue_private.webhook as w;

comment on view pgqueue.webhooks is 'Every webhook: its URL and what it subscribes to.';
comment on column pgqueue.webhooks.id is 'The webhook''s id.';
comment on column pgqueue.webhooks.url is 'The URL that events are sent to.';
comment on column pgqueue.webhooks.description is 'What its owner noted about it.';
comment on column pgqueue.webhooks.events is 'The events that it subscribes to.';
comment on column pgqueue.webhooks.queues is 'The queues whose events are sent; null: all.';
comment on column pgqueue.webhooks.types is 'The types of tasks whose events are sent; null: all.';
comment on column pgqueue.webhooks.enabled is 'Whether anything is sent to it.';
comment on column pgqueue.webhooks.disabled_at is 'Since when nothing is; null: it is enabled.';
comment on column pgqueue.webhooks.disabled_reason is 'Why nothing is; null: it is enabled, or no reason is known.';
comment on column pgqueue.webhooks.version is 'The version of its settings: each change adds one.';
comment on column pgqueue.webhooks.created_at is 'When it was created.';
comment on column pgqueue.webhooks.user_id is 'The user whom it belongs to; always 0 today.';
