-- Cancels a task and returns its status after the call. A waiting task is cancelled at once; an active one is asked
-- to stop and becomes cancelled when its handler has stopped; a finished one does not change. Returns null when there
-- is no such task. unstarted: leaves the task alone if it has been started.
create or replace function pgqueue.cancel(id uuid, reason text default null, unstarted boolean default false) returns text
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    token record;
    asked bigint;
    followed uuid[];
begin
    select l.places[1] as place, l.tokens[1] as at, l.statuses[1] as status, l.attempts[1] as attempt into token
    from lock_tokens(array[cancel.id], running_too => not unstarted) as l;

    if token.place = 'running' then
        update running as r set cancel_requested = true where r.ctid = token.at returning r.worker_id into asked;
        perform pg_notify('pgqueue_control', asked::text);
        perform announce(array[cancel.id]);
        return 'active';
    end if;
    if token.place is null or (unstarted and token.attempt > 0) then
        return token.status;  -- null: there is no such task
    end if;

    if token.place = 'ready' then
        delete from ready as r where r.ctid = token.at;
    else
        delete from delayed as d where d.ctid = token.at;
    end if;
    -- Read the fact only now, under the lock of its token: a task that waits for it may have come meanwhile.
    select e.followed into followed
    from end_waiting(
        array[cancel.id], array[token.attempt], array['cancelled'], array[coalesce(reason, 'cancelled before it started')]
    ) as e;
    perform announce(array[cancel.id]);
    if followed is not null then
        perform follow(followed, array['cancelled']);
    end if;
    return 'cancelled';
end
$$;

comment on function pgqueue.cancel is
    'Cancels a task, or asks it to stop if it is active, and returns its status; null: there is no such task.';
