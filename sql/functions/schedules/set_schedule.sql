-- Sets the given settings of a schedule and leaves the rest; creates the schedule if there is none of this name.
-- select pgqueue.set_schedule('nightly', 'report', cron => '30 2 * * *', timezone => 'Europe/Berlin');
-- To restore a default: pgqueue.patch_schedule('nightly', '{"ends_at": null}').
create or replace function pgqueue.set_schedule(
    name text,
    type text default null,
    payload jsonb default null,
    cron text default null,
    run_at timestamptz default null,
    timezone text default null,
    queue text default null,
    priority int default null,
    max_attempts int default null,
    timeout_s float8 default null,
    retry jsonb default null,
    expires_in_s float8 default null,
    enabled boolean default null,
    starts_at timestamptz default null,
    ends_at timestamptz default null,
    jitter_s float8 default null,
    missed text default null,
    missed_max int default null,
    overlap text default null,
    limit_key text default null,
    cost int default null,
    fairness_key text default null
) returns bigint
language sql
as $$
    select pgqueue.patch_schedule(set_schedule.name, coalesce(jsonb_object_agg(given.key, given.value), '{}'))
    from jsonb_each(jsonb_build_object(
        'type', set_schedule.type, 'payload', set_schedule.payload, 'cron', set_schedule.cron, 'run_at', set_schedule.run_at,
        'timezone', set_schedule.timezone, 'queue', set_schedule.queue, 'priority', set_schedule.priority,
        'max_attempts', set_schedule.max_attempts, 'timeout_s', set_schedule.timeout_s, 'retry', set_schedule.retry,
        'expires_in_s', set_schedule.expires_in_s, 'enabled', set_schedule.enabled, 'starts_at', set_schedule.starts_at,
        'ends_at', set_schedule.ends_at, 'jitter_s', set_schedule.jitter_s, 'missed', set_schedule.missed,
        'missed_max', set_schedule.missed_max, 'overlap', set_schedule.overlap, 'limit_key', set_schedule.limit_key,
        'cost', set_schedule.cost, 'fairness_key', set_schedule.fairness_key
    )) as given
    where given.value <> 'null'
$$;

comment on function pgqueue.set_schedule is
    'Sets the given settings of a schedule and leaves the rest (null), creates the schedule if there is none of this '
    'name, and returns the version of its settings.';
