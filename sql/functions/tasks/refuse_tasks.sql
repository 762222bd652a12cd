-- Raises PQ004 for the first of these tasks that has a value out of range, and names that value. For enqueue_many,
-- which only knows that there is one. Positions count from 0.
create or replace function pgqueue_private.refuse_tasks(tasks jsonb) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    wrong record;
begin
    select i.n - 1 as place, v.* into wrong
    from rows from (
        jsonb_to_recordset(tasks) as (
            type text, queue text, priority smallint, run_at timestamptz, delay_s float8, max_attempts smallint, timeout_s real,
            expires_at timestamptz, expires_in_s float8, retry jsonb, limit_key text, cost smallint, fairness_key text, callback_url text
        )
    ) with ordinality as i (
        type, queue, priority, run_at, delay_s, max_attempts, timeout_s, expires_at, expires_in_s, retry, limit_key, cost,
        fairness_key, callback_url, n
    )
    cross join lateral (
        select coalesce(i.run_at, now + i.delay_s * interval '1 second'), coalesce(i.expires_at, now + i.expires_in_s * interval '1 second')
    ) as t (run_at, expires_at)
    cross join lateral (values
        (1, 'type', i.type, length(i.type) between 1 and 100, '1 to 100 characters'),
        (2, 'queue', i.queue, length(i.queue) between 1 and 100, '1 to 100 characters'),
        (3, 'priority', i.priority::text, i.priority between 0 and 10, '0 (first) to 10 (last)'),
        (4, 'max_attempts', i.max_attempts::text, i.max_attempts between 1 and 1000, '1 to 1000'),
        (5, 'timeout_s', i.timeout_s::text, i.timeout_s > 0 and i.timeout_s <= 1e9, 'more than 0 and at most 1e9'),
        (6, 'run_at', t.run_at::text, t.run_at >= 'epoch' and t.run_at < '9999-01-01 00:00Z', 'in the years 1970 to 9998'),
        (7, 'expires_at', t.expires_at::text, t.expires_at >= 'epoch' and t.expires_at < '9999-01-01 00:00Z', 'in the years 1970 to 9998'),
        (8, 'retry', i.retry::text, retry_fits(i.retry), 'a policy such as {"kind": "exponential", "base_s": 1}'),
        (9, 'limit_key', i.limit_key, length(i.limit_key) between 1 and 255, '1 to 255 characters'),
        (10, 'cost', i.cost::text, i.cost >= 1, '1 or more'),
        (11, 'fairness_key', i.fairness_key, length(i.fairness_key) between 1 and 255, '1 to 255 characters'),
        (12, 'callback_url', i.callback_url, url_fits(i.callback_url), 'of http or https, in plain ASCII')
    ) as v (n, name, value, fits, range)
    where v.value is not null and v.fits is not true
    order by i.n, v.n
    limit 1;

    raise exception '% of task % is out of range: %', wrong.name, wrong.place, to_json(left(wrong.value, 60))
        using errcode = 'PQ004', hint = wrong.name || ' is ' || wrong.range;
end
$$;
