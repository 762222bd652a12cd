-- Where the time goes: the types by the time that workers spent on them in the last 24 hours, in seconds.
with added as (
    select r.type, b.bucket, sum(b.wait)::bigint as wait, sum(b.run)::bigint as run
    from pgqueue_private.rollup_hour as r
    cross join lateral unnest(r.waits, r.runs) with ordinality as b (wait, run, bucket)
    where r.hour >= date_bin('1 hour', pgqueue.clock() - interval '1 day', 'epoch')
    group by r.type, b.bucket
),
histogram as (
    select
        type, array_agg(wait order by bucket) as waits, array_agg(run order by bucket) as runs, sum(run) as attempts,
        sum(run * 0.0005 * power(2, bucket - 1.5)) as busy_s
    from added
    group by type
)
select
    type, attempts, round(busy_s::numeric, 1) as busy_s,
    pgqueue_private.percentile(runs, 0.5) as run_p50, pgqueue_private.percentile(runs, 0.95) as run_p95,
    pgqueue_private.percentile(runs, 0.99) as run_p99,
    pgqueue_private.percentile(waits, 0.5) as wait_p50, pgqueue_private.percentile(waits, 0.99) as wait_p99
from histogram
order by busy_s desc
limit 50;
