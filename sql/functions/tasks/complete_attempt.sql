-- Completes an attempt inside the caller's own transaction, or raises PQ001 and so rolls that transaction back: what
-- a handler writes and the completion of its task commit together, or neither does.
-- Raises PQ001 when the lease no longer holds, and when a cancellation was requested. Call it last and commit at
-- once: until then the task is locked, and the server ends a session that stays idle now after 15 s.
-- Returns whether someone is watching (then announce the task after the commit).
create or replace function pgqueue.complete_attempt(
    task_id uuid, lease_id bigint, result jsonb default null, progress jsonb default null
) returns boolean
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    finished record;
    outcome text;
begin
    select * into finished
    from finish(jsonb_build_array(jsonb_build_object(
        'task_id', task_id, 'lease_id', lease_id, 'outcome', 'completed', 'result', result, 'progress', progress
    )));
    if finished.refused <> '{}' then
        raise exception 'lease % of task % no longer holds', lease_id, task_id
            using errcode = 'PQ001', hint = 'the task was rescued, cancelled or finished meanwhile: stop working on it';
    end if;

    select a.outcome into outcome
    from attempt as a
    where a.task_id = complete_attempt.task_id and a.lease_id = complete_attempt.lease_id;
    if outcome <> 'completed' then
        raise exception 'task % is to be cancelled', task_id
            using errcode = 'PQ001', hint = 'its cancellation was requested while it ran: stop working on it';
    end if;

    perform set_config('idle_in_transaction_session_timeout', '15s', true);
    return finished.watched;
end
$$;

comment on function pgqueue.complete_attempt is
    'Completes a task in the caller''s own transaction and returns whether someone is watching it; raises PQ001 if '
    'the lease no longer holds or the task was cancelled.';
