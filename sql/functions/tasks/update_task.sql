-- Changes the priority or the run_at of a task that waits, and returns its status after the call; null when there is
-- no such task. A run_at in the past, such as pgqueue.clock(), makes it runnable at once. Raises PQ003 for a task
-- that does not wait, and PQ005 when the task no longer has an ETag in if_match, as the HTTP API shows it.
create or replace function pgqueue.update_task(
    id uuid, priority int default null, run_at timestamptz default null, if_match text[] default null
) returns text
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    outcome record;
begin
    outcome := change_task(id, priority, run_at, if_match => if_match);
    if not outcome.changed and outcome.status is not null then
        raise exception 'task % is %', id, outcome.status
            using errcode = 'PQ003', hint = case outcome.status
                when 'blocked' then 'it waits for others, not for a time: only its priority can be changed'
                else 'only a task that waits (scheduled, queued, retrying, blocked) can be changed'
            end;
    end if;
    return outcome.status;
end
$$;

comment on function pgqueue.update_task is
    'Changes the priority or run_at (null: leaves it) of a task that has not started and returns its status; '
    'null: there is no such task.';
