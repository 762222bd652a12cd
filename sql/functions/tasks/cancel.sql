-- Cancels a task and returns its status after the call. One that waits is cancelled at once; one that is active is
-- asked to stop and becomes cancelled when its handler has stopped; a finished one stays what it is.
-- Returns null when there is no such task. unstarted: leave it alone if it has been started.
create or replace function pgqueue.cancel(id uuid, reason text default null, unstarted boolean default false) returns text
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    found_task task;
    token record;
    asked bigint;
    lease bigint;
    ended text;
begin
    select * into found_task from task as t where t.id = cancel.id;
    if not found then
        return null;
    end if;

    -- A token may move while we look, always forward: whoever moved it first, the next look finds it.
    for look in 1..3 loop
        token := null;
        delete from ready as r
        where (r.queue, r.priority, r.seq) = (found_task.queue, found_task.priority, found_task.seq)
            and r.task_id = found_task.id and (r.attempt = 0 or not unstarted)
        returning r.attempt into token;
        if token is null then
            delete from ready as r
            where r.task_id = found_task.id and r.requeued and (r.attempt = 0 or not unstarted)
            returning r.attempt into token;
        end if;
        if token is null then
            delete from delayed as d
            where d.task_id = found_task.id and (d.attempt = 0 or not unstarted)
            returning d.attempt into token;
        end if;
        if token is not null then
            insert into attempt (task_id, lease_id, user_id, finished_at, attempt, final, outcome, error)
            values (
                found_task.id, nextval('pgqueue_private.lease_seq'), found_task.user_id, now, token.attempt, true, 'cancelled',
                jsonb_build_object('type', 'Cancelled', 'message', coalesce(reason, 'cancelled before it started'))
            )
            returning lease_id into lease;
            insert into rollup_flush (minute, created_minute, n, final, queue, type, outcome, waits, runs)
            values (
                date_bin('1 minute', now, 'epoch'), date_bin('1 minute', found_task.created_at, 'epoch'),
                1, true, found_task.queue, found_task.type, 'cancelled', '{}', '{}'
            );
            if exists (select from webhook as w where w.disabled_at is null) then
                perform tell_of_tasks(array[found_task.id], array[lease]);
            end if;
            perform announce(array[found_task.id]);
            -- read again, now that its token is ours: who waits for it may have come meanwhile
            perform from task as t
            where t.id = found_task.id and (t.followed or t.batch_id is not null or t.callback_url is not null);
            if found then
                perform follow(array[found_task.id], array['cancelled']);
            end if;
            return 'cancelled';
        end if;

        update running as r set cancel_requested = true
        where r.task_id = found_task.id and not unstarted
        returning r.worker_id into asked;
        if found then
            perform pg_notify('pgqueue_control', asked::text);
            perform announce(array[found_task.id]);
            return 'active';
        end if;

        select t.status into ended from tasks as t where t.id = found_task.id;
        exit when ended in ('completed', 'failed', 'cancelled');
    end loop;
    return ended;
end
$$;

comment on function pgqueue.cancel is
    'Cancels a task, or asks it to stop if it is active, and returns its status; null: there is no such task.';
