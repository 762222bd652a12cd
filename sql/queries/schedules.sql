-- Schedules: what schedulers, the HTTP API and the library call.

-- name: next_schedule
select extract(epoch from s.look_at - pgqueue.clock())::float8 as wait_s
from pgqueue.schedule as s
where s.look_at is not null
order by s.look_at
limit 1;

-- name: due_schedules
select
    id, version, now_at, cron, timezone, starts_at, ends_at, jitter_s, missed_max, enabled, after_at, next_due_at,
    backfill_from, backfill_to
from pgqueue.due_schedules(%(most)s);

-- name: fire_schedules
select fired, task_ids::text[], queues from pgqueue.fire_schedules(%(plans)s::jsonb);

-- name: declare_schedules
select pgqueue.declare_schedules(%(app)s, %(declared)s::jsonb) as changed;

-- name: prune_schedule_slots
select pgqueue.prune_schedule_slots();
