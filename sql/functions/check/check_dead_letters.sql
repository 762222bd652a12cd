-- A dead letter is the copy of a task that failed for good, and agrees with the task's last attempt for as long as
-- that exists.
create or replace function pgqueue_private.check_dead_letters()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    select
        'dead_letters', d.task_id::text,
        case
            when t.id is null then 'belongs to a task that never existed'
            when not t.ended then 'belongs to a task that has not ended'
            when t.outcome not in ('failed', 'timed_out', 'crashed') then 'belongs to a task with outcome ' || t.outcome
            else 'says ' || d.outcome || ' at ' || d.failed_at || ', but its task says ' || t.outcome || ' at ' || t.finished_at
        end
    from pgqueue_private.dead_letter as d
    left join pgqueue_private.task_places() as t on t.id = d.task_id
    where (t.id is null and not pgqueue.is_pruned(d.task_id))
        or not t.ended
        or (t.outcome, t.finished_at) is distinct from (d.outcome, d.failed_at) and t.id is not null
$$;
