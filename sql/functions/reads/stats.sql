-- Figures of the service as the JSON text that the HTTP API returns. They come from the roll-up, the rows not yet
-- folded into it, and the sampled queues: the cost is the same however many tasks there are. A window of more than
-- two hours counts whole hours. With a type, it counts only ended tasks: samples have no types.
create or replace function pgqueue_private.stats(window_s int, type text, queue text, uptime_s float8) returns text
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    by_hour constant boolean := window_s > 7200;
    since constant timestamptz := case when by_hour
        then date_bin('1 hour', now - window_s * interval '1 second', 'epoch') else now - window_s * interval '1 second'
    end;
    today constant date := (now at time zone 'utc')::date;
    waits bigint[];
    runs bigint[];
    ended record;
begin
    with folded as materialized (
        select outcome, final, n, waits, runs from rollup_hour as r
        where by_hour and r.hour >= since
            and (stats.type is null or r.type = stats.type) and (stats.queue is null or r.queue = stats.queue)
        union all
        select outcome, final, n, waits, runs from rollup as r
        where not by_hour and r.minute >= since
            and (stats.type is null or r.type = stats.type) and (stats.queue is null or r.queue = stats.queue)
    ),
    fresh as materialized (
        select outcome, final, n, waits, runs from rollup_flush as f
        where f.minute >= since
            and (stats.type is null or f.type = stats.type) and (stats.queue is null or f.queue = stats.queue)
    ),
    counted as (
        select b.bucket - 1 as bucket, b.wait, b.run
        from folded cross join lateral unnest(waits, runs) with ordinality as b (wait, run, bucket)
        where outcome not in ('released', 'snoozed')
        union all
        select b.bucket, 1, 0 from fresh cross join lateral unnest(waits) as b (bucket)
        where outcome not in ('released', 'snoozed')
        union all
        select b.bucket, 0, 1 from fresh cross join lateral unnest(runs) as b (bucket)
        where outcome not in ('released', 'snoozed')
    ),
    histogram as (
        select b.bucket, coalesce(sum(c.wait), 0)::bigint as wait, coalesce(sum(c.run), 0)::bigint as run
        from generate_series(0, 25) as b (bucket)
        left join counted as c on c.bucket = b.bucket
        group by b.bucket
    ),
    final as (
        select
            coalesce(sum(n) filter (where outcome = 'completed'), 0) as completed,
            coalesce(sum(n) filter (where outcome in ('failed', 'timed_out', 'crashed')), 0) as failed,
            coalesce(sum(n), 0) as total
        from (select outcome, final, n from folded union all select outcome, final, n from fresh) as e
        where final
    )
    select
        (select array_agg(wait order by bucket) from histogram) as waits,
        (select array_agg(run order by bucket) from histogram) as runs,
        final.*
    into ended
    from final;
    waits := ended.waits;
    runs := ended.runs;

    return (
        with outcomes as materialized (
            select r.hour as at, r.outcome, r.n from rollup_hour as r
            where r.final
                and (stats.type is null or r.type = stats.type) and (stats.queue is null or r.queue = stats.queue)
            union all
            select f.minute, f.outcome, f.n from rollup_flush as f
            where f.final
                and (stats.type is null or f.type = stats.type) and (stats.queue is null or f.queue = stats.queue)
        ),
        grouped as (
            select
                (at at time zone 'utc')::date as day,
                case when outcome in ('timed_out', 'crashed') then 'failed' else outcome end as status,
                sum(n) as n
            from outcomes
            group by 1, 2
        ),
        live as (
            select s.status, sum(s.n) as n from queue_sample as s
            where stats.type is null and (stats.queue is null or s.queue = stats.queue)
            group by s.status
        )
        select json_build_object(
            'at', json_time(now),
            'uptime_s', uptime_s,
            'window_s', window_s,
            'counts', (
                select coalesce(json_object_agg(status, n order by status), '{}')
                from (select status, sum(n) as n from grouped group by status union all select status, n from live) as c
            ),
            'active_workers', (
                select count(*) from worker as w where w.state = 'active' and w.expires_at > now
                    and (stats.queue is null or w.queues = '{}' or stats.queue = any (w.queues))
            ),
            'success_rate', round(ended.completed / nullif(ended.completed + ended.failed, 0), 6),
            'throughput_per_s', round(ended.total / extract(epoch from now - since), 6),
            'wait_s', json_build_object(
                'n', (select sum(c) from unnest(waits) as c),
                'p50', percentile(waits, 0.5), 'p95', percentile(waits, 0.95), 'p99', percentile(waits, 0.99)
            ),
            'run_s', json_build_object(
                'n', (select sum(c) from unnest(runs) as c),
                'p50', percentile(runs, 0.5), 'p95', percentile(runs, 0.95), 'p99', percentile(runs, 0.99)
            ),
            'days', (
                select json_agg(
                    json_build_object(
                        'day', to_char(d.day, 'YYYY-MM-DD'),
                        'completed', coalesce((select g.n from grouped as g where g.day = d.day and g.status = 'completed'), 0),
                        'failed', coalesce((select g.n from grouped as g where g.day = d.day and g.status = 'failed'), 0),
                        'cancelled', coalesce((select g.n from grouped as g where g.day = d.day and g.status = 'cancelled'), 0)
                    )
                    order by d.day
                )
                from (select today - n as day from generate_series(0, 6) as n) as d
            ),
            'sampled_at', json_time((select s.sampled_at from sampling as s)),
            'maintenance', (
                select coalesce(
                    json_agg(
                        json_build_object(
                            'duty', m.duty, 'state', m.state, 'lag_s', m.lag_s, 'interval_s', m.interval_s,
                            'last_started_at', json_time(m.last_started_at), 'last_finished_at', json_time(m.last_finished_at),
                            'last_duration_s', m.last_duration_s, 'run_by', m.run_by,
                            'last_error', m.last_error, 'last_error_at', json_time(m.last_error_at)
                        )
                        order by m.duty
                    ),
                    '[]'
                )
                from maintenance as m
            )
        )::text
    );
end
$$;
