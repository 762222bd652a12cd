-- Stores deliveries, and enqueues a task that sends each of them, in the caller's transaction. Returns the ids in the
-- order given. Each element: webhook_id (null: a callback_url's), url, event, subject_id, and body, the JSON text to
-- send; id, where it is sent again.
-- Each delivery has its own task in a separate queue: 8 tries over 27 hours, and then a dead letter. No user's worker
-- serves that queue, and no host gets more than 10 at once, or what the queue's per_key says.
create or replace function pgqueue_private.send_webhooks(messages jsonb, user_id bigint default 0) returns uuid[]
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
    bits constant bigint := id_bits(now);
    ids uuid[];
    stored record;
begin
    if jsonb_array_length(messages) = 0 then
        return '{}';
    end if;
    -- This bounds how many slots a slow receiver can hold: see docs/limits.md.
    insert into queue (name, created_at, per_key) values ('pgqueue.webhooks', now, '{"concurrency": 10}') on conflict do nothing;

    select array_agg(coalesce((m.message ->> 'id')::uuid, new_id(bits, m.n)) order by m.n) into ids
    from jsonb_array_elements(messages) with ordinality as m (message, n);
    select * into stored
    from enqueue_many(
        (
            select jsonb_agg(
                jsonb_build_object(
                    'type', 'pgqueue.webhook_delivery', 'queue', 'pgqueue.webhooks', 'max_attempts', 8, 'timeout_s', 30,
                    'limit_key', left('webhook:' || lower(substring(m.message ->> 'url' from '^[^/]*//([^/?#]*)')), 255),
                    'payload', jsonb_build_object(
                        'delivery_id', ids[m.n], 'webhook_id', m.message -> 'webhook_id', 'event', m.message -> 'event'
                    )
                )
                order by m.n
            )
            from jsonb_array_elements(messages) with ordinality as m (message, n)
        ),
        user_id
    );
    insert into webhook_delivery as d (id, user_id, created_at, webhook_id, subject_id, task_id, event, url, body)
    select ids[m.n], user_id, now, m.webhook_id, m.subject_id, stored.ids[m.n], m.event, m.url, m.body
    from rows from (
        jsonb_to_recordset(messages) as (webhook_id uuid, subject_id uuid, event text, url text, body text)
    ) with ordinality as m (webhook_id, subject_id, event, url, body, n)
    on conflict on constraint webhook_delivery_pkey do update set
        status = 'pending', ended_at = null, task_id = excluded.task_id, url = excluded.url;
    perform ring(stored.queues);
    return ids;
end
$$;
