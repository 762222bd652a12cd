-- How long attempts ran, by type, for tasks created in the last 24 hours: the slowest first, in seconds.
with recent as (
    select t.type, a.outcome, extract(epoch from a.finished_at - a.started_at)::float8 as seconds
    from pgqueue.attempt as a
    inner join pgqueue.task as t on t.id = a.task_id
    where a.task_id >= pgqueue.first_id_at(pgqueue.clock() - interval '24 hours') and a.started_at is not null
)
select
    type,
    count(*) as attempts,
    count(*) filter (where outcome <> 'completed') as not_completed,
    round(percentile_cont(0.5) within group (order by seconds)::numeric, 3) as p50,
    round(percentile_cont(0.95) within group (order by seconds)::numeric, 3) as p95,
    round(percentile_cont(0.99) within group (order by seconds)::numeric, 3) as p99,
    round(max(seconds)::numeric, 3) as longest,
    round(sum(seconds)::numeric, 1) as total
from recent
group by type
order by p95 desc
limit 50;
