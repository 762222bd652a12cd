-- Records completed attempts that have nothing else to store, each only by the holder of its lease. Returns the lease
-- ids that it recorded, and the tasks that are followed: pass those to follow().
-- Leaves attempts of another lease, those whose cancellation was requested and those of queues with limits as they
-- are: finish() decides on them.
-- This is the plain case of finish(), at half its cost. Call finish(), not this: its settings decide the plans here,
-- too.
create or replace function pgqueue_private.complete(
    task_ids uuid[], lease_ids bigint[], out accepted bigint[], out followed uuid[]
)
language plpgsql
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    this_minute constant timestamptz := date_bin('1 minute', now, 'epoch');
begin
    with freed as (
        delete from running as r
        using unnest(task_ids, lease_ids) as i (task_id, lease_id)
        where r.task_id = any (task_ids)
            and (r.task_id, r.lease_id) = (i.task_id, i.lease_id) and not r.cancel_requested and not r.limited
        returning
            r.task_id, r.lease_id, r.user_id, r.worker_id, r.created_at, r.ready_at, r.started_at, r.attempt,
            r.queue, r.type, r.progress, r.followed
    ),
    fact as (
        insert into attempt (
            task_id, lease_id, user_id, worker_id, started_at, finished_at, attempt, final, outcome, progress
        )
        select task_id, lease_id, user_id, worker_id, started_at, now, attempt, true, 'completed', progress
        from freed
    ),
    counted as (
        insert into rollup_flush (minute, created_minute, n, final, queue, type, outcome, waits, runs)
        select
            this_minute, date_bin('1 minute', created_at, 'epoch') as created_minute, count(*), true, queue, type, 'completed',
            array_agg(bucket(started_at - ready_at)), array_agg(bucket(now - started_at))
        from freed
        group by created_minute, queue, type
    )
    select coalesce(array_agg(lease_id), '{}'), array_agg(task_id) filter (where followed) into accepted, followed from freed;
end
$$;
