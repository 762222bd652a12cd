-- Every schedule with its settings, its position, and when it is due next (null: no scheduler has read its cron yet,
-- or it is not due again).
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
    s.options,
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

comment on view pgqueue.schedules is 'Every schedule with its settings, and when it is due next.';
comment on column pgqueue.schedules.id is 'The schedule''s id.';
comment on column pgqueue.schedules.name is 'Its name, which is unique.';
comment on column pgqueue.schedules.state is
    'active, paused, new (no scheduler has read it yet), invalid (see error) or ended (it is not due again).';
comment on column pgqueue.schedules.cron is
    'The cron expression that says when it is due; null: it is due once, at run_at.';
comment on column pgqueue.schedules.run_at is 'The one time when it is due; null: it has a cron expression.';
comment on column pgqueue.schedules.timezone is 'The time zone of its cron expression, by its IANA name.';
comment on column pgqueue.schedules.type is 'The type of the task that it enqueues.';
comment on column pgqueue.schedules.payload is 'What the handler of the task gets.';
comment on column pgqueue.schedules.options is
    'The other options of the task by the names of enqueue()''s arguments, and expires_in_s: it is cancelled if it has '
    'not started so many seconds after it was enqueued; null: as its type, its queue or pgqueue says.';
comment on column pgqueue.schedules.enabled is 'Whether it enqueues anything; false: it is paused.';
comment on column pgqueue.schedules.starts_at is 'It is not due before then; null: no such bound.';
comment on column pgqueue.schedules.ends_at is 'It is not due after then; null: no such bound.';
comment on column pgqueue.schedules.jitter_s is
    'Each task is delayed by up to so many seconds, always by the same for the same due time.';
comment on column pgqueue.schedules.missed is
    'What happens to due times that passed while no scheduler ran: skip, latest or all.';
comment on column pgqueue.schedules.missed_max is 'How many of them are enqueued at most if missed is all.';
comment on column pgqueue.schedules.overlap is
    'What happens when a task of it has not ended by the next due time: allow, skip or queue_one.';
comment on column pgqueue.schedules.next_due_at is
    'When it is due next; null: no scheduler has read its cron yet, or it is not due again.';
comment on column pgqueue.schedules.last_due_at is 'The last due time for which a task was enqueued; null: none was.';
comment on column pgqueue.schedules.last_task_id is 'The task that was enqueued for it; null: none was.';
comment on column pgqueue.schedules.run_count is 'How many tasks it has enqueued.';
comment on column pgqueue.schedules.error is 'Why it cannot enqueue, in plain words; null: it can.';
comment on column pgqueue.schedules.backfill_from is
    'Where the range that is being filled continues; null: none is being filled.';
comment on column pgqueue.schedules.backfill_to is 'The end of that range; null: none is being filled.';
comment on column pgqueue.schedules.declared_by is 'The app whose code declares it; null: it was created by a call.';
comment on column pgqueue.schedules.undeclared_at is
    'Since when that app''s code no longer declares it; null: it still does.';
comment on column pgqueue.schedules.version is 'The version of its settings: each change adds one.';
comment on column pgqueue.schedules.created_at is 'When it was created.';
comment on column pgqueue.schedules.user_id is 'The user whom it belongs to; always 0 today.';
