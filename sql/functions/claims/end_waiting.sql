-- Ends tasks that wait, whose tokens the caller has deleted. outcomes: cancelled, or failed because of a task that
-- they waited for. Records each end with its message, counts it, keeps a dead letter of each failure, and sends
-- webhooks.
-- attempts: how often each task was started. Each array has one element for each task.
-- Returns the tasks whose end matters to other tasks or batches (null: none): call follow() for them.
create or replace function pgqueue_private.end_waiting(
    task_ids uuid[], attempts smallint[], outcomes text[], messages text[], out followed uuid[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    -- Known before the join, so that only the partitions of these days are opened.
    sorted constant uuid[] := array(select i from unnest(task_ids) as i order by i);
    lowest constant uuid := sorted[1];
    highest constant uuid := sorted[cardinality(sorted)];
    failed uuid[];
begin
    with ended as materialized (
        select
            e.*, t.user_id, t.queue, t.type, t.created_at,
            t.followed or t.batch_id is not null or t.callback_url is not null as followed
        from unnest(task_ids, attempts, outcomes, messages) as e (id, attempt, outcome, message)
        cross join lateral (
            select f.* from task as f where f.id = e.id and f.id >= lowest and f.id <= highest limit 1
        ) as t
    ),
    fact as (
        insert into attempt (task_id, lease_id, user_id, finished_at, attempt, final, outcome, error)
        select
            id, nextval('pgqueue_private.lease_seq'), user_id, now, attempt, true, outcome,
            jsonb_build_object('type', case outcome when 'failed' then 'ParentFailed' else 'Cancelled' end, 'message', message)
        from ended
    ),
    counted as (
        insert into rollup_flush (minute, created_minute, n, final, queue, type, outcome, waits, runs)
        select
            date_bin('1 minute', now, 'epoch'), date_bin('1 minute', created_at, 'epoch') as created_minute, count(*), true,
            queue, type, outcome, '{}', '{}'
        from ended
        group by created_minute, queue, type, outcome
    )
    select array_agg(id) filter (where outcome = 'failed'), array_agg(id) filter (where e.followed)
    into failed, followed
    from ended as e;
    if failed is not null then
        perform keep_dead_letters(failed);
    end if;
    if exists (select from webhook as w where w.disabled_at is null) then
        perform tell_of_tasks(task_ids);
    end if;
end
$$;
