-- Records how attempts ended, each exactly once and only by the holder of its lease, and moves their tokens on:
-- completed, cancelled and spent tasks have none any more, failed ones wait in delayed, released ones are ready again (after delay_s, if given).
-- Each element: task_id, lease_id, outcome, and optionally result, error, retry (false: a failure is final),
-- progress (the last, if it was not recorded yet), delay_s or run_at (of a retry or after a snooze), reason.
-- Returns the lease ids that were refused because they no longer hold, and whether someone watches.
create or replace function pgqueue.finish(results jsonb, out refused bigint[], out watched boolean)
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
set enable_nestloop = off  -- a lateral has no other way; what else is joined here is joined by hash
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    this_minute constant timestamptz := date_bin('1 minute', now, 'epoch');
    accepted bigint[];
    missing int := jsonb_array_length(results);
begin
    refused := '{}';
    -- A row that someone updated meanwhile (a cancel, a progress) is missed by its old place: look a second time.
    for look in 1..2 loop
        with input as (
            select *
            from jsonb_to_recordset(results) as i (
                task_id uuid, lease_id bigint, outcome text, result jsonb, error jsonb,
                retry boolean, delay_s float8, run_at timestamptz, reason text, progress jsonb
            )
            where look = 1 or i.lease_id = any (refused)
        ),
        held as materialized (
            select i.outcome as said, i.result, i.error, i.retry, i.delay_s, i.run_at, i.reason, i.progress as last_progress, r.*
            from input as i
            cross join lateral (
                select r.ctid as at, r.* from running as r where r.task_id = i.task_id and r.lease_id = i.lease_id limit 1
            ) as r
        ),
        freed as (
            delete from running as r where r.ctid = any (array(select at from held)) returning r.task_id
        ),
        settled as materialized (
            -- first what is filtered by and looked up: a column costs what stands before it
            select
                h.lease_id,
                case when h.cancel_requested then 'cancelled' else h.said end as outcome,
                case
                    when h.cancel_requested then true
                    when h.said in ('failed', 'timed_out') then h.retry is false or h.attempt >= h.budget
                    else h.said not in ('released', 'snoozed')
                end as final,
                h.task_id, h.user_id, h.worker_id, h.created_at, h.ready_at, h.started_at, h.attempt, h.queue, h.type,
                h.result, h.error, h.last_progress, h.progress, h.priority, h.budget, h.crashes, h.delay_s, h.run_at, h.reason
            from held as h
            where h.task_id in (select task_id from freed)
        ),
        fact as (
            insert into attempt (
                task_id, lease_id, user_id, worker_id, started_at, finished_at, attempt, final, outcome, result, error, progress
            )
            select
                task_id, lease_id, user_id, worker_id, started_at, now, attempt, final, outcome,
                case when outcome = 'completed' then result end, error, coalesce(last_progress || jsonb_build_object('at', now), progress)
            from settled
        ),
        waiting as (
            insert into delayed (task_id, run_at, priority, attempt, budget, crashes, queue, status, reason)
            select
                task_id, coalesce(run_at, now + coalesce(delay_s, 0) * interval '1 second'), priority,
                attempt - (outcome in ('snoozed', 'released'))::int, budget, crashes, queue,
                case outcome when 'snoozed' then 'scheduled' when 'released' then 'queued' else 'retrying' end, reason
            from settled
            where not final and (outcome <> 'released' or delay_s is not null)
        ),
        released as (
            insert into ready (task_id, ready_at, priority, attempt, budget, crashes, requeued, queue, reason)
            select task_id, now, priority, attempt - 1, budget, crashes, true, queue, reason
            from settled
            where not final and outcome = 'released' and delay_s is null
        ),
        counted as (
            insert into rollup_flush (minute, created_minute, n, final, queue, type, outcome, waits, runs)
            select
                this_minute, date_bin('1 minute', created_at, 'epoch') as created_minute, count(*), final, queue, type, outcome,
                array_agg(bucket(started_at - ready_at)), array_agg(bucket(now - started_at))
            from settled
            group by created_minute, final, queue, type, outcome
        )
        select array_agg(lease_id) into accepted from settled;

        missing := missing - coalesce(cardinality(accepted), 0);
        if missing = 0 then
            refused := '{}';
            exit;
        end if;
        refused := array(
            select (r ->> 'lease_id')::bigint from jsonb_array_elements(results) as r
            where look = 1 or (r ->> 'lease_id')::bigint = any (refused)
            except
            select unnest(accepted)
        );
    end loop;

    watched := exists (select from listener where channel = 'pgqueue_event' and expires_at > now);
end
$$;
