-- What became of each due time, for a week: enqueued (as which task), waiting for its predecessor, skipped or missed, and why.
create or replace view pgqueue.schedule_slots as
select l.schedule_id, s.name as schedule, l.due_at, l.kind, l.fate, l.reason, l.task_id, l.at
from pgqueue_private.schedule_slot as l
join pgqueue_private.schedule as s on s.id = l.schedule_id;

comment on view pgqueue.schedule_slots is 'what became of each due time of a schedule';
