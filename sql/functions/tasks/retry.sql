-- Runs a failed or cancelled task again, with its original number of attempts, or a retrying one now. Returns its
-- status after the call, null when there is no such task; raises PQ003 for any other status.
create or replace function pgqueue.retry(id uuid) returns text
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    found_task task;
    ended attempt;
    token tid;
    status text;
begin
    -- Wait while its day is being pruned: afterwards the task is either there or gone.
    perform pg_advisory_xact_lock_shared(hashtextextended('pgqueue:day:' || day_of(retry.id), 0));
    select * into found_task from task as t where t.id = retry.id;
    if not found then
        return null;
    end if;
    -- Two retries of one task take turns.
    perform pg_advisory_xact_lock(hashtextextended('pgqueue:retry:' || found_task.id, 0));

    select d.ctid into token from delayed as d where d.task_id = found_task.id and d.status = 'retrying' for update;
    if not found then
        select t.status into status from tasks as t where t.id = found_task.id;
        if status not in ('failed', 'cancelled') then
            raise exception 'task % is %', found_task.id, status
                using errcode = 'PQ003', hint = 'only a failed, cancelled or retrying task can be retried';
        end if;
        select * into ended from attempt as a where a.task_id = found_task.id order by a.lease_id desc limit 1;
        if found_task.expires_at is not null and ended.attempt = 0 then
            ended.attempt := 1;  -- count it as started, so that its expiry is not checked again
        end if;
        insert into delayed (task_id, run_at, priority, attempt, budget, queue, type, status)
        values (
            found_task.id, now, found_task.priority, ended.attempt, least(ended.attempt + found_task.max_attempts, 32767),
            found_task.queue, found_task.type, 'queued'
        )
        returning ctid into token;
        -- It runs now, so nothing may release it later.
        delete from blocker as b where b.child_id = found_task.id;
        -- It is no longer an ended task.
        delete from dead_letter as d where d.task_id = found_task.id;
        insert into rollup_flush (minute, created_minute, n, final, queue, type, outcome, waits, runs)
        values (
            date_bin('1 minute', ended.finished_at, 'epoch'), date_bin('1 minute', found_task.created_at, 'epoch'),
            -1, true, found_task.queue, found_task.type, ended.outcome, '{}', '{}'
        );
        if found_task.batch_id is not null then
            perform reopen_batches(found_task.batch_id, ended.outcome);
        end if;
    end if;
    perform make_ready(array[token], 'retried by hand');
    perform ring(array[found_task.queue]);
    perform announce(array[found_task.id]);
    return 'queued';
end
$$;

comment on function pgqueue.retry is
    'Runs a failed or cancelled task again, with its original number of attempts, or a retrying one now, and returns '
    'its status; null: there is no such task.';
