-- Changes a schedule, creates it if there is none of this name, and returns the new version of its settings.
-- settings has cron or run_at, timezone, starts_at, ends_at, jitter_s, enabled, missed, missed_max, overlap, and of
-- the task type, payload and the options that schedule_options() knows: a value replaces the old one, null restores the
-- default (but a payload may be null), and a setting that is left out stays. A call that changes nothing does not change
-- the version.
-- With versions, changes the schedule only at one of these (0: it does not exist yet); otherwise changes nothing and
-- returns null. The next scheduler that looks reads the cron expression, within a second: until then next_due_at is
-- null, and error shows what it cannot read. What was due when it is changed is due afterwards if the new settings
-- say so.
-- Raises PQ003 for a change of what the code of an app declares, except of enabled; declared_by is for that app
-- itself.
create or replace function pgqueue.patch_schedule(
    name text, settings jsonb, versions bigint[] default null, declared_by text default null
) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    old schedule;
    new schedule;
    unknown text;
    wrong text;
begin
    if jsonb_typeof(settings) is distinct from 'object' then
        raise exception 'settings must be a JSON object; got %', coalesce(left(settings::text, 60), 'null')
            using errcode = 'PQ004', hint = 'such as {"type": "report", "cron": "0 9 * * 1-5"}';
    end if;
    select key into unknown from jsonb_object_keys(settings) as key where key not in (
        'cron', 'run_at', 'timezone', 'starts_at', 'ends_at', 'jitter_s', 'enabled', 'missed', 'missed_max', 'overlap',
        'type', 'payload'
    ) and not schedule_options('{}') ? key limit 1;
    if found then
        raise exception 'a schedule has no setting %', to_json(unknown) using errcode = 'PQ004', hint = 'docs/schedules.md lists them';
    end if;

    if (versions is null or 0 = any (versions)) and find_schedule(patch_schedule.name) is null then
        if name !~ '^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,99}$' or name ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
            raise exception '% is not a valid name of a schedule', to_json(left(name, 100))
                using errcode = 'PQ004', hint = 'a name has 1 to 100 of A-Z a-z 0-9 _ . : @ - and does not look like an id';
        end if;
        insert into schedule (id, name, created_at, after_at)
        values (new_id(id_bits(now), 0), patch_schedule.name, now, now)
        on conflict do nothing;
    end if;
    select * into old from schedule as s where s.id = find_schedule(patch_schedule.name) for update;
    if not found or old.version <> all (versions) then
        return null;
    end if;
    if
        old.declared_by is not null and old.undeclared_at is null and patch_schedule.declared_by is null
        and settings - 'enabled' <> '{}'
    then
        raise exception 'schedule % is declared in the code of %', to_json(old.name), old.declared_by
            using errcode = 'PQ003', hint = 'change it in that code; here it can be paused, resumed, triggered and backfilled';
    end if;

    new := jsonb_populate_record(old, settings);
    new.options := (
        select coalesce(jsonb_object_agg(o.key, o.value), '{}')
        from jsonb_each(schedule_options(old.options || settings)) as o
        where o.value <> 'null'
    );
    new.timezone := coalesce(new.timezone, 'UTC');
    new.jitter_s := coalesce(new.jitter_s, 0);
    new.enabled := coalesce(new.enabled, true);
    new.missed := coalesce(new.missed, 'latest');
    new.missed_max := coalesce(new.missed_max, 100);
    new.overlap := coalesce(new.overlap, 'allow');
    new.payload := coalesce(settings -> 'payload', old.payload);
    if patch_schedule.declared_by is not null then
        new.declared_by := patch_schedule.declared_by;
        new.undeclared_at := null;
    end if;

    wrong := case
        when new.type is null or length(new.type) not between 1 and 100 then 'type names the handler, in 1 to 100 characters'
        when num_nonnulls(new.cron, new.run_at) <> 1 then 'give either cron or run_at'
        when length(new.cron) > 100 or new.cron !~ '^[!-~]+( [!-~]+){4}$'
            then 'cron has five fields with a space between them, in at most 100 characters: "30 9 * * 1-5"'
        when length(new.timezone) > 100 then 'timezone names a zone of the IANA database, such as Europe/Berlin'
        when
            new.run_at not between 'epoch' and '9989-12-31' or new.starts_at not between 'epoch' and '9989-12-31'
            or new.ends_at not between 'epoch' and '9989-12-31'
            then 'a time is in the years 1970 to 9989'
        when new.run_at is not null and num_nonnulls(new.starts_at, new.ends_at) > 0 then 'starts_at and ends_at are for cron'
        when new.ends_at < new.starts_at then 'ends_at is before starts_at'
        when not new.jitter_s between 0 and 86400 then 'jitter_s is 0 to 86,400'
        when new.missed not in ('skip', 'latest', 'all') then 'missed is skip, latest or all'
        when new.missed_max not between 1 and 1000 then 'missed_max is 1 to 1000'
        when new.overlap not in ('allow', 'skip', 'cancel_previous', 'queue_one')
            then 'overlap is allow, skip, cancel_previous or queue_one'
        when (new.options ->> 'expires_in_s')::float8 not between 0 and 1e9 then 'expires_in_s is 0 to 1e9'
    end;
    if wrong is null and (new.type, new.payload, new.options) is distinct from (old.type, old.payload, old.options) then
        wrong := try_task(new.options || jsonb_build_object('type', new.type, 'payload', new.payload), new.user_id);
    end if;
    if wrong is not null then
        raise exception 'the settings of schedule % are not valid', to_json(name) using errcode = 'PQ004', hint = wrong;
    end if;
    if new = old and old.version > 0 then
        return old.version;
    end if;

    if
        (new.cron, new.run_at, new.timezone, new.starts_at, new.ends_at, new.jitter_s, new.enabled)
        is distinct from (old.cron, old.run_at, old.timezone, old.starts_at, old.ends_at, old.jitter_s, old.enabled)
        or old.version = 0
    then
        -- The new settings decide about what is already due and has not been handled.
        new.after_at := greatest(old.after_at, least(
            now, case when old.enabled then old.next_due_at - interval '1 microsecond' end
        ));
        new.next_due_at := case when new.run_at is distinct from old.last_due_at then new.run_at end;
        new.look_at := case
            when not new.enabled then null
            when new.run_at is not null then new.next_due_at
            else now
        end;
        new.error := null;
    end if;
    if not new.enabled then
        new.next_due_at := null;
        update schedule_slot as l set fate = 'skipped', at = now, reason = 'the schedule was paused'
        where l.schedule_id = new.id and l.due_at = new.waiting_at and l.fate = 'waiting';
        new.waiting_at := null;
    end if;
    if new.waiting_at is not null or new.backfill_to is not null then
        new.look_at := now;
    end if;
    new.version := old.version + 1;
    update schedule as s
    set version = new.version, cron = new.cron, run_at = new.run_at, timezone = new.timezone, starts_at = new.starts_at,
        ends_at = new.ends_at, jitter_s = new.jitter_s, enabled = new.enabled, missed = new.missed,
        missed_max = new.missed_max, overlap = new.overlap, type = new.type, payload = new.payload, options = new.options,
        declared_by = new.declared_by, undeclared_at = new.undeclared_at,
        after_at = new.after_at, next_due_at = new.next_due_at, look_at = new.look_at, waiting_at = new.waiting_at,
        error = new.error
    where s.id = new.id;
    return new.version;
end
$$;

comment on function pgqueue.patch_schedule is
    'Changes a schedule by a JSON object, in which null restores a default, and returns its new version; null: its '
    'version is not one of those given.';
