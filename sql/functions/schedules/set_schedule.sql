-- Sets the given settings of a schedule and leaves the rest; creates the schedule if there is none of this name.
-- select pgqueue.set_schedule('nightly', 'report', cron => '30 2 * * *', timezone => 'Europe/Berlin');
-- options: the task's queue, priority and so on, as a JSON object: '{"queue": "reports", "priority": 8}'.
-- To restore a default: pgqueue.patch_schedule('nightly', '{"ends_at": null}').
create or replace function pgqueue.set_schedule(
    name text,
    type text default null,
    payload jsonb default null,
    cron text default null,
    run_at timestamptz default null,
    timezone text default null,
    enabled boolean default null,
    starts_at timestamptz default null,
    ends_at timestamptz default null,
    jitter_s float8 default null,
    missed text default null,
    missed_max int default null,
    overlap text default null,
    options jsonb default null
) returns bigint
language sql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
set extra_float_digits = 1  -- seconds pass through JSON, which a caller's setting would round
as $$
    select pgqueue.patch_schedule(
        set_schedule.name, coalesce(set_schedule.options, '{}') || coalesce(jsonb_object_agg(given.key, given.value), '{}')
    )
    from jsonb_each(jsonb_build_object(
        'type', set_schedule.type, 'payload', set_schedule.payload, 'cron', set_schedule.cron, 'run_at', set_schedule.run_at,
        'timezone', set_schedule.timezone, 'enabled', set_schedule.enabled, 'starts_at', set_schedule.starts_at,
        'ends_at', set_schedule.ends_at, 'jitter_s', set_schedule.jitter_s, 'missed', set_schedule.missed,
        'missed_max', set_schedule.missed_max, 'overlap', set_schedule.overlap
    )) as given
    where given.value <> 'null' or (given.key = 'payload' and set_schedule.payload is not null)
$$;

comment on function pgqueue.set_schedule is
    'Sets the given settings of a schedule and leaves the rest (null), creates the schedule if there is none of this '
    'name, and returns the version of its settings.';
