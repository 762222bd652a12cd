-- Changes the limit of all tasks with this limit_key, creates it if there is none, and returns its new version.
-- settings has concurrency, rate and slowed_until: a value replaces the old one, null removes it, and a setting that
-- is left out stays. With versions, changes the limit only at one of these (0: it does not exist yet); otherwise
-- changes nothing and returns null. Applies to every start from now on; running tasks count and continue.
create or replace function pgqueue.patch_limit(name text, settings jsonb, versions bigint[] default null) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    known key_limit;
    unknown text;
begin
    if name is null or length(name) not between 1 and 255 then
        raise exception 'the name of a limit has 1 to 255 characters' using errcode = 'PQ004', hint = 'it is a limit_key';
    end if;
    if jsonb_typeof(settings) is distinct from 'object' then
        raise exception 'settings must be a JSON object' using errcode = 'PQ004', hint = 'such as {"concurrency": 5}';
    end if;
    select key into unknown from jsonb_object_keys(settings) as key where key not in ('concurrency', 'rate', 'slowed_until') limit 1;
    if found then
        raise exception 'a limit has no setting %', to_json(unknown)
            using errcode = 'PQ004', hint = 'its settings are concurrency, rate and slowed_until';
    end if;
    perform limit_settings(settings);

    if versions is null or 0 = any (versions) then
        insert into key_limit (name, version, created_at) values (patch_limit.name, 0, pgqueue.clock())
        on conflict do nothing;
    end if;
    select * into known from key_limit as l where l.name = patch_limit.name for update;
    if not found or known.version <> all (versions) then
        return null;
    end if;

    known := jsonb_populate_record(known, settings);
    update key_limit as l
    set concurrency = known.concurrency, rate = known.rate, slowed_until = known.slowed_until,
        slowed_reason = case when known.slowed_until is not null then l.slowed_reason end, version = l.version + 1
    where l.name = known.name
    returning l.version into known.version;
    perform recount_key(known.name);
    return known.version;
end
$$;

comment on function pgqueue.patch_limit is
    'Changes the limit of a key in all queues by a JSON object, in which null removes a setting, and returns its new '
    'version; null: its version is not one of those given.';
