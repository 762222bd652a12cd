-- Changes the settings of a queue, creates the queue if there is none of this name, and returns their new version.
-- settings has max_attempts, retry, ageing_s, concurrency, rate, per_key, fairness, retention, slowed_until and
-- paused (with paused_by, paused_reason): a value replaces the old one, null removes it, and a setting that is left
-- out stays.
-- With versions, changes the queue only when its settings are at one of these (0: it does not exist yet); otherwise
-- changes nothing and returns null. Applies to tasks enqueued (max_attempts) and attempts that fail (retry) from now
-- on.
create or replace function pgqueue.patch_queue(name text, settings jsonb, versions bigint[] default null) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    known queue;
    unknown text;
begin
    if jsonb_typeof(settings) is distinct from 'object' then
        raise exception 'settings must be a JSON object' using errcode = 'PQ004', hint = 'such as {"max_attempts": 5}';
    end if;
    select key into unknown from jsonb_object_keys(settings) as key where key not in (
        'max_attempts', 'retry', 'ageing_s', 'concurrency', 'rate', 'per_key', 'fairness', 'retention', 'slowed_until',
        'paused', 'paused_by', 'paused_reason'
    ) limit 1;
    if found then
        raise exception 'a queue has no setting %', to_json(unknown)
            using errcode = 'PQ004', hint = 'its settings are max_attempts, retry, ageing_s, concurrency, rate, per_key, fairness, '
                'retention, slowed_until, paused, paused_by and paused_reason';
    end if;
    if not coalesce(retry_fits(nullif(settings -> 'retry', 'null')), true) then
        raise exception 'retry must be a retry policy'
            using errcode = 'PQ004', hint = 'such as {"kind": "exponential", "base_s": 1, "cap_s": 3600, "jitter": "equal"}';
    end if;

    perform limit_settings(settings);
    if nullif(settings -> 'per_key', 'null') is not null then
        if
            jsonb_typeof(settings -> 'per_key') <> 'object' or jsonb_strip_nulls(settings -> 'per_key') = '{}'
            or (settings -> 'per_key') - array['concurrency', 'rate'] <> '{}'
        then
            raise exception 'per_key must be an object with concurrency, rate or both' using errcode = 'PQ004', hint = 'such as {"concurrency": 1}';
        end if;
        perform limit_settings(settings -> 'per_key');
        settings := jsonb_set(settings, '{per_key}', jsonb_strip_nulls(settings -> 'per_key'));
    end if;

    if not coalesce(fairness_fits(nullif(settings -> 'fairness', 'null')), true) then
        raise exception 'fairness must be an object, with weights by key if any'
            using errcode = 'PQ004', hint = 'such as {} or {"weights": {"acme": 3}}: keys of 1 to 255 characters, at most 1000 of '
                'them, weights of 1 to 100';
    end if;

    if not coalesce(retention_fits(nullif(settings -> 'retention', 'null')), true) then
        raise exception 'retention must be an object of seconds'
            using errcode = 'PQ004', hint = 'such as {"tasks_s": 2592000, "events_s": 604800, "artifacts_s": 86400, "dead_letters_s": '
                '7776000}: a day to 36,500 days (dead letters: an hour), events and artifacts no longer than tasks';
    end if;

    if versions is null or 0 = any (versions) then
        insert into queue (name, version, created_at) values (patch_queue.name, 0, pgqueue.clock())
        on conflict do nothing;
    end if;
    select * into known from queue as q where q.name = patch_queue.name for update;
    if not found or known.version <> all (versions) then
        return null;
    end if;

    known := jsonb_populate_record(known, settings);
    if settings ? 'retention' then
        perform keep_retention(known.name, known.retention);
        known.retention := nullif(jsonb_strip_nulls(known.retention) - 'dead_letters_s', '{}');
    end if;
    if settings ->> 'paused' = 'true' then
        known.paused_at := coalesce(known.paused_at, pgqueue.clock());
    elsif settings ? 'paused' then
        known.paused_at := null;
    end if;
    if known.paused_at is null then
        known.paused_by := null;
        known.paused_reason := null;
    end if;
    if known.slowed_until is null then
        known.slowed_reason := null;
    end if;
    if known.concurrency is not null or known.per_key is not null then  -- what is already running counts, too
        update running as r set limited = true where r.queue = known.name and not r.limited;
        update limit_use as u set leases = null, newest = null
        where u.queue = known.name and (u.leases is not null or u.newest is not null);
    end if;
    update queue as q
    set max_attempts = known.max_attempts, retry = known.retry, ageing_s = known.ageing_s, concurrency = known.concurrency,
        rate = known.rate, per_key = known.per_key, fairness = known.fairness, retention = known.retention,
        slowed_until = known.slowed_until, slowed_reason = known.slowed_reason,
        paused_at = known.paused_at, paused_by = known.paused_by, paused_reason = known.paused_reason,
        version = q.version + 1
    where q.name = known.name
    returning q.version into known.version;
    perform pg_notify('pgqueue_control', 'types');  -- so that the API knows the new defaults of tasks
    perform ring(array[known.name]);  -- there may be room now
    return known.version;
end
$$;

comment on function pgqueue.patch_queue is
    'Changes a queue''s settings by a JSON object, in which null removes a setting, and returns their new version; '
    'null: their version is not one of those given.';
