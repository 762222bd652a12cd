-- Deletes queues that have held nothing for a day and of which nothing else is known: no setting, no type that has it by
-- default, no dead letter, no policy. A queue that is used again comes back. Returns how many it deleted.
create or replace function pgqueue_private.forget_queues() returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    n int;
begin
    delete from queue as q
    where q.created_at < pgqueue.clock() - interval '1 day'
        and q.ageing_s is null and q.max_attempts is null and q.retry is null and q.concurrency is null and q.rate is null
        and q.paused_at is null and q.per_key is null and q.slowed_until is null and q.fairness is null and q.retention is null
        and not exists (select from queue_sample as s where s.queue = q.name)
        and not exists (select from task_type as t where t.queue = q.name)
        and not exists (select from dead_letter_level as l where l.queue = q.name and l.n > 0)
        and not exists (select from dead_letter_policy as p where p.queue = q.name)
        and not exists (select from ready as r where r.queue = q.name);
    get diagnostics n = row_count;
    return n;
end
$$;
