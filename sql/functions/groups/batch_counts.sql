-- The exact counts of a batch at this moment: the folded counts and those added since, read in one statement.
create or replace function pgqueue_private.batch_counts(id uuid) returns table (
    total bigint, completed bigint, failed bigint, cancelled bigint, batches bigint, batches_ended bigint, batches_failed bigint,
    remaining bigint
)
language sql stable
as $$
    select
        n.total, n.completed, n.failed, n.cancelled, n.batches, n.batches_ended, n.batches_failed,
        n.total - n.completed - n.failed - n.cancelled + n.batches - n.batches_ended
    from (
        select
            b.total + coalesce(d.total, 0) as total, b.completed + coalesce(d.completed, 0) as completed,
            b.failed + coalesce(d.failed, 0) as failed, b.cancelled + coalesce(d.cancelled, 0) as cancelled,
            b.batches + coalesce(d.batches, 0) as batches, b.batches_ended + coalesce(d.batches_ended, 0) as batches_ended,
            b.batches_failed + coalesce(d.batches_failed, 0) as batches_failed
        from pgqueue_private.batch as b
        cross join lateral (
            select
                sum(c.total) as total, sum(c.completed) as completed, sum(c.failed) as failed, sum(c.cancelled) as cancelled,
                sum(c.batches) as batches, sum(c.batches_ended) as batches_ended, sum(c.batches_failed) as batches_failed
            from pgqueue_private.batch_delta as c
            where c.batch_id = b.id
        ) as d
        where b.id = batch_counts.id
    ) as n
$$;
