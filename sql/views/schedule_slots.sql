-- What happened to each due time, for a week: enqueued (as which task), waiting for its predecessor, skipped or
-- missed, and why.
create or replace view pgqueue.schedule_slots as
select l.schedule_id, s.name as schedule, l.due_at, l.kind, l.fate, l.reason, l.task_id, l.at
from pgqueue_private.schedule_slot as l
join pgqueue_private.schedule as s on s.id = l.schedule_id;

comment on view pgqueue.schedule_slots is 'What happened to each due time of a schedule, for a week.';
comment on column pgqueue.schedule_slots.schedule_id is 'The schedule''s id.';
comment on column pgqueue.schedule_slots.schedule is 'The schedule''s name.';
comment on column pgqueue.schedule_slots.due_at is 'The due time.';
comment on column pgqueue.schedule_slots.kind is
    'due (by its cron or its run_at), backfill (somebody filled a range) or trigger (somebody asked for it now).';
comment on column pgqueue.schedule_slots.fate is
    'enqueued, waiting (for the task before it to end), skipped or missed.';
comment on column pgqueue.schedule_slots.reason is 'Why, in plain words; null if there is nothing to say.';
comment on column pgqueue.schedule_slots.task_id is 'The task that was enqueued for it; null: none was.';
comment on column pgqueue.schedule_slots.at is 'When its fate was decided.';
