-- Changes the given settings of a webhook (url, events, queues, types, description, enabled) and returns its new
-- version; null for queues and types stands for all. Pending deliveries go to the new URL. With versions, changes it
-- only at one of these; otherwise changes nothing and returns null. Raises PQ002 when there is no such webhook.
create or replace function pgqueue.patch_webhook(id uuid, settings jsonb, versions bigint[] default null) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    known webhook;
    unknown text;
begin
    if jsonb_typeof(settings) is distinct from 'object' then
        raise exception 'settings must be a JSON object' using errcode = 'PQ004', hint = 'such as {"enabled": false}';
    end if;
    select key into unknown from jsonb_object_keys(settings) as key where key not in (
        'url', 'events', 'queues', 'types', 'description', 'enabled'
    ) limit 1;
    if found then
        raise exception 'a webhook has no setting %', to_json(unknown)
            using errcode = 'PQ004', hint = 'its settings are url, events, queues, types, description and enabled';
    end if;
    select * into known from webhook as w where w.id = patch_webhook.id for update;
    if not found then
        raise exception 'there is no webhook %', patch_webhook.id using errcode = 'PQ002', hint = 'it was deleted';
    end if;
    if known.version <> all (versions) then
        return null;
    end if;

    known := jsonb_populate_record(known, settings - 'enabled');
    known.description := coalesce(known.description, '');
    if settings ->> 'enabled' = 'true' then
        known.disabled_at := null;
        known.disabled_reason := null;
    elsif settings ? 'enabled' and known.disabled_at is null then
        known.disabled_at := pgqueue.clock();
        known.disabled_reason := 'by hand';
    end if;
    perform webhook_fits(known.url, known.events, known.queues, known.types, known.description);
    update webhook as w set
        url = known.url, events = known.events, queues = known.queues, types = known.types, description = known.description,
        disabled_at = known.disabled_at, disabled_reason = known.disabled_reason, version = w.version + 1
    where w.id = known.id
    returning w.version into known.version;
    return known.version;
end
$$;

comment on function pgqueue.patch_webhook is
    'Changes a webhook by a JSON object and returns its new version; null: its version is not one of those given.';
