-- Schedules: what schedulers, the HTTP API and the library call.

-- name: next_schedule
select extract(epoch from s.look_at - pgqueue.clock())::float8 as wait_s
from pgqueue_private.schedule as s
where s.look_at is not null
order by s.look_at
limit 1;

-- name: due_schedules
select
    id, version, now_at, cron, timezone, starts_at, ends_at, jitter_s, missed_max, enabled, after_at, next_due_at,
    backfill_from, backfill_to
from pgqueue_private.due_schedules(%(max_schedules)s);

-- name: fire_schedules
select fired, task_ids::text[], queues from pgqueue_private.fire_schedules(%(plans)s::jsonb);

-- name: declare_schedules
select pgqueue_private.declare_schedules(%(app)s, %(declared)s::jsonb) as changed;

-- name: prune_schedule_slots
select pgqueue_private.prune_schedule_slots();

-- name: clock
select pgqueue.clock() as now;

-- name: patch_schedule
select pgqueue.patch_schedule(%(name)s, %(settings)s::jsonb, %(versions)s::bigint[]) as version;

-- name: schedule_to_plan
-- A schedule that was just created or changed, so that its next due time is known at once.
select
    s.id, s.version, pgqueue.clock() as now_at, s.cron, s.timezone, s.starts_at, s.ends_at, s.jitter_s::float8,
    s.missed_max::int, s.enabled, s.after_at, s.next_due_at, null::timestamptz as backfill_from,
    null::timestamptz as backfill_to
from pgqueue_private.schedule as s
where
    s.id = pgqueue_private.find_schedule(%(which)s) and s.enabled and s.cron is not null and s.next_due_at is null
    and s.look_at is not null and s.backfill_to is null and s.waiting_at is null;

-- name: schedule_state
select t.name, t.version, t.state from pgqueue_private.schedule_states(array[pgqueue_private.find_schedule(%(which)s)]) as t;

-- name: list_schedules
-- Of 4 MiB together at most: the item of the first one beyond is null.
with page as (
    select s.id, s.name
    from pgqueue_private.schedule as s
    where
        s.user_id = 0 and s.name > coalesce(%(after)s::text, '')
        and (%(type)s::text is null or s.type = %(type)s) and (%(queue)s::text is null or s.options ->> 'queue' = %(queue)s)
    order by s.user_id, s.name
    limit %(max_rows)s
)
select b.name, case when b.bytes <= 4194304 or b.bytes = octet_length(b.item) then b.item end as item
from (
    select
        t.name, t.state as item,
        sum(octet_length(t.state)) over (order by t.name) as bytes
    from pgqueue_private.schedule_states((select array_agg(p.id order by p.name) from page as p)) as t
) as b
where b.bytes - octet_length(b.item) <= 4194304;

-- name: list_schedule_slots
select
    (extract(epoch from l.due_at) * 1000000)::bigint as due_us,
    json_build_object(
        'due_at', pgqueue_private.json_time(l.due_at), 'kind', l.kind, 'fate', l.fate, 'reason', l.reason, 'task_id', l.task_id,
        'at', pgqueue_private.json_time(l.at)
    )::text as item
from pgqueue_private.schedule_slot as l
where
    l.schedule_id = pgqueue_private.find_schedule(%(which)s)
    and l.due_at < coalesce(timestamptz 'epoch' + %(before_us)s::bigint * interval '1 microsecond', 'infinity')
    and (%(fate)s::text is null or l.fate = %(fate)s)
order by l.due_at desc
limit %(max_rows)s;

-- name: delete_schedule
select pgqueue.delete_schedule(%(name)s, %(versions)s::bigint[]) as deleted;

-- name: trigger_schedule
select pgqueue.trigger_schedule(%(name)s)::text as task_id;

-- name: backfill_schedule
select pgqueue.backfill_schedule(%(name)s, %(from_at)s::timestamptz, %(to_at)s::timestamptz);

-- name: find_schedule_slots
select s.due_at, s.kind, s.fate, s.reason, s.task_id::text as task_id, s.at
from pgqueue.schedule_slots as s
where s.schedule_id = pgqueue_private.find_schedule(%(which)s) and s.due_at < coalesce(%(before)s::timestamptz, 'infinity')
order by s.due_at desc
limit least(%(max_rows)s, 1000);

-- name: pause_schedule
select pgqueue.pause_schedule(%(name)s);

-- name: resume_schedule
select pgqueue.resume_schedule(%(name)s);
