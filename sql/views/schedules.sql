-- Every schedule with its settings, where it is, and when it is due next (null: no scheduler has read its cron yet, or none is to come).
create or replace view pgqueue.schedules as
select
    s.id,
    s.name,
    case
        when not s.enabled then 'paused'
        when s.next_due_at is not null then 'active'
        when s.error is not null then 'invalid'
        when s.look_at is not null and s.waiting_at is null and s.backfill_to is null then 'new'
        else 'ended'
    end as state,
    s.cron,
    s.run_at,
    s.timezone,
    s.type,
    s.payload,
    s.queue,
    s.priority,
    s.max_attempts,
    s.timeout_s,
    s.retry,
    s.expires_in_s,
    s.limit_key,
    s.cost,
    s.fairness_key,
    s.enabled,
    s.starts_at,
    s.ends_at,
    s.jitter_s,
    s.missed,
    s.missed_max,
    s.overlap,
    s.next_due_at,
    s.last_due_at,
    s.last_task_id,
    s.run_count,
    s.error,
    s.backfill_from,
    s.backfill_to,
    s.declared_by,
    s.undeclared_at,
    s.version,
    s.created_at,
    s.user_id
from pgqueue_private.schedule as s;

comment on view pgqueue.schedules is 'every schedule, and when it is due next';
