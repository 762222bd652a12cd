-- The counts of each batch agree with its tasks and with the batches inside it, it ends with the last of them, and
-- the tasks that it was to enqueue then exist. Where tasks may have been pruned since it was created, the tasks that
-- have not ended are still all there.
create or replace function pgqueue_private.check_batches()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    with delta as (
        select
            d.batch_id, sum(d.total) as total, sum(d.completed) as completed, sum(d.failed) as failed, sum(d.cancelled) as cancelled,
            sum(d.batches) as batches, sum(d.batches_ended) as batches_ended, sum(d.batches_failed) as batches_failed
        from pgqueue_private.batch_delta as d
        group by d.batch_id
    ),
    counted as materialized (
        select
            b.*, d.batch_id is not null as unfolded,
            b.total + coalesce(d.total, 0) as n, b.completed + coalesce(d.completed, 0) as n_completed,
            b.failed + coalesce(d.failed, 0) as n_failed, b.cancelled + coalesce(d.cancelled, 0) as n_cancelled,
            b.batches + coalesce(d.batches, 0) as n_batches, b.batches_ended + coalesce(d.batches_ended, 0) as n_batches_ended,
            b.batches_failed + coalesce(d.batches_failed, 0) as n_batches_failed,
            exists (select from pgqueue_private.day as p where p.pruned_at is not null and p.day >= pgqueue_private.day_of(b.id)) as pruned
        from pgqueue_private.batch as b
        left join delta as d on d.batch_id = b.id
    ),
    task as (
        select
            p.batch_id, count(*) as n, count(*) filter (where not p.ended) as live,
            count(*) filter (where p.ended and p.outcome = 'completed') as completed,
            count(*) filter (where p.ended and p.outcome = 'cancelled') as cancelled,
            count(*) filter (where p.ended and p.outcome not in ('completed', 'cancelled')) as failed
        from pgqueue_private.task_places() as p
        where p.batch_id is not null
        group by p.batch_id
    ),
    nested as (
        select
            b.parent_id, count(*) as n, count(b.ended_at) as ended,
            count(*) filter (where b.outcome <> 'completed') as failed, count(*) filter (where b.ended_at is null) as live
        from pgqueue_private.batch as b
        where b.parent_id is not null
        group by b.parent_id
    ),
    seen as (
        select
            b.*, b.n - b.n_completed - b.n_failed - b.n_cancelled as n_live,
            coalesce(t.n, 0) as t, coalesce(t.completed, 0) as t_completed, coalesce(t.failed, 0) as t_failed,
            coalesce(t.cancelled, 0) as t_cancelled, coalesce(t.live, 0) as t_live,
            coalesce(c.n, 0) as c, coalesce(c.ended, 0) as c_ended, coalesce(c.failed, 0) as c_failed
        from counted as b
        left join task as t on t.batch_id = b.id
        left join nested as c on c.parent_id = b.id
    )
    select
        'batches', s.id::text,
        format(
            'has %s tasks: %s completed, %s failed, %s cancelled, %s to come; but it counts %s: %s, %s, %s, %s',
            s.t, s.t_completed, s.t_failed, s.t_cancelled, s.t_live, s.n, s.n_completed, s.n_failed, s.n_cancelled, s.n_live
        )
    from seen as s
    where case
        when s.pruned then s.t_live <> s.n_live
            or s.t_completed > s.n_completed or s.t_failed > s.n_failed or s.t_cancelled > s.n_cancelled
        else (s.t, s.t_completed, s.t_failed, s.t_cancelled) <> (s.n, s.n_completed, s.n_failed, s.n_cancelled)
    end
    union all
    select
        'batches', s.id::text,
        format(
            'has %s batches in it, %s ended, %s of them not completed; but it counts %s, %s and %s',
            s.c, s.c_ended, s.c_failed, s.n_batches, s.n_batches_ended, s.n_batches_failed
        )
    from seen as s
    where (s.c, s.c_ended, s.c_failed) <> (s.n_batches, s.n_batches_ended, s.n_batches_failed)
    union all
    -- Many tasks of a large batch may end at once, and none sees that it was the last: then the batch ends when it is
    -- folded.
    select 'batches', s.id::text, 'has no unfinished tasks or batches, but has not ended'
    from seen as s
    where s.closed_at is not null and s.ended_at is null and s.n_live + s.n_batches - s.n_batches_ended = 0
        and not (s.unfolded and s.n > 2000)
    union all
    select 'batches', s.id::text, 'has ended, but some of its tasks or batches have not'
    from seen as s
    where s.ended_at is not null and (s.closed_at is null or s.n_live + s.n_batches - s.n_batches_ended <> 0)
    union all
    select 'batches', s.id::text, 'has ended as ' || coalesce(s.outcome, 'nothing') || ', which does not match how its tasks and batches ended'
    from seen as s
    where s.outcome is distinct from case
        when s.ended_at is null then null
        when s.n_failed + s.n_batches_failed > 0 then 'failed'
        when s.n_cancelled > 0 then 'cancelled'
        else 'completed'
    end
    union all
    select 'batches', s.id::text, 'has ended, but its callback was never enqueued'
    from seen as s
    where s.ended_at is not null and (
        (s.on_complete is not null and s.complete_task_id is null)
        or (s.on_success is not null and s.outcome = 'completed' and s.success_task_id is null)
        or (s.on_failure is not null and s.outcome <> 'completed' and s.failure_task_id is null)
    ) and s.id::text not in (
        -- It could not be enqueued, and a notice said so.
        select n.data ->> 'batch_id' from pgqueue_private.notice as n where n.kind = 'callback_not_enqueued'
    )
    union all
    select 'batches', b.id::text, 'has not ended and belongs to batch ' || b.parent_id || ', which does not exist'
    from pgqueue_private.batch as b
    left join pgqueue_private.batch as above on above.id = b.parent_id
    where b.parent_id is not null and b.ended_at is null and above.id is null
    union all
    select 'batches', t.batch_id::text, 'has ' || t.live || ' unfinished tasks, but there is no such batch'
    from task as t
    left join pgqueue_private.batch as b on b.id = t.batch_id
    where b.id is null and t.live > 0
$$;
