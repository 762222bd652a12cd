-- Stops the tasks of a queue from starting, from now on; running tasks continue. Records since when, by whom and why.
create or replace function pgqueue.pause(queue text, reason text default null, paused_by text default null) returns void
language sql
as $$
    select pgqueue.patch_queue(pause.queue, jsonb_build_object(
        'paused', true, 'paused_by', coalesce(pause.paused_by, session_user), 'paused_reason', pause.reason
    ))
$$;

comment on function pgqueue.pause is 'Stops the tasks of a queue from starting until resume(); running tasks continue.';
