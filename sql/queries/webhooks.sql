-- What the library and the API call about webhooks.

-- name: create_webhook
select pgqueue.create_webhook(
    %(url)s, %(events)s::text[], %(queues)s::text[], %(types)s::text[], %(description)s, %(enabled)s
)::text as id;

-- name: get_webhook
select * from pgqueue.webhooks where %(id)s::uuid is null or id = %(id)s::uuid order by id limit 500;

-- name: patch_webhook
select pgqueue.patch_webhook(%(id)s, %(settings)s::jsonb, %(versions)s::bigint[]) as version;

-- name: delete_webhook
select pgqueue.delete_webhook(%(id)s, %(versions)s::bigint[]) as deleted;

-- name: webhook_secrets
select secret, created_at, expires_at from pgqueue.webhook_secrets(%(id)s::uuid);

-- name: rotate_webhook_secret
select pgqueue.rotate_webhook_secret(%(id)s::uuid, %(overlap_s)s) as secret;

-- name: test_webhook
select pgqueue.test_webhook(%(id)s)::text as id;

-- name: redeliver
select pgqueue.redeliver(%(id)s);

-- name: list_deliveries
select items, next::text from pgqueue_private.list_deliveries(%(id)s::uuid, %(status)s, %(before)s::uuid, %(max_rows)s);

-- name: get_delivery
select state, webhook_id::text as webhook_id from pgqueue_private.delivery_states(array[%(id)s::uuid]);

-- name: list_webhooks
-- Of 4 MiB together at most.
select p.item, p.version
from (
    select l.*, sum(octet_length(l.item)) over (order by l.place) as bytes
    from (
        select webhooks.id as place, version, json_build_object(
            'id', id, 'url', url, 'description', description, 'events', events, 'queues', queues, 'types', types, 'enabled', enabled,
            'disabled_at', pgqueue_private.json_time(disabled_at), 'disabled_reason', disabled_reason, 'version', version,
            'created_at', pgqueue_private.json_time(created_at)
        )::text as item
        from pgqueue.webhooks
        where %(id)s::uuid is null or id = %(id)s::uuid
        order by webhooks.id
        limit 500
    ) as l
) as p
where p.bytes <= 4194304 or p.bytes = octet_length(p.item)
order by p.place;

-- name: list_webhook_secrets
select json_build_object(
    'secret', secret, 'created_at', pgqueue_private.json_time(created_at), 'expires_at', pgqueue_private.json_time(expires_at)
)::text as item
from pgqueue.webhook_secrets(%(id)s::uuid);
