-- Folds the rows that each flush of finish() appended into one row a minute and kind, and one an hour and kind.
-- Returns how many of these rows it folded. One caller at a time folds; a second one does nothing.
create or replace function pgqueue_private.fold_rollups(max_rows int default 20000) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    taken int;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:fold_rollups', 0)) then
        return 0;
    end if;

    with flush as materialized (
        delete from rollup_flush as f
        where f.ctid = any (array(select o.ctid from rollup_flush as o limit max_rows))
        returning f.*
    ),
    total as (
        select minute, created_minute, queue, type, outcome, final, sum(n) as n
        from flush
        group by minute, created_minute, queue, type, outcome, final
    ),
    counted as (
        select minute, created_minute, queue, type, outcome, final, kind, b.bucket, count(*) as n
        from flush
        cross join lateral (
            select 'waits' as kind, w as bucket from unnest(waits) as w
            union all
            select 'runs', r from unnest(runs) as r
        ) as b
        group by minute, created_minute, queue, type, outcome, final, kind, b.bucket
    ),
    folded as (
        select
            t.*,
            array(
                select coalesce(c.n, 0)
                from generate_series(0, 25) as b
                left join counted as c
                    on (c.minute, c.created_minute, c.queue, c.type, c.outcome, c.final, c.kind, c.bucket)
                    = (t.minute, t.created_minute, t.queue, t.type, t.outcome, t.final, 'waits', b)
                order by b
            ) as waits,
            array(
                select coalesce(c.n, 0)
                from generate_series(0, 25) as b
                left join counted as c
                    on (c.minute, c.created_minute, c.queue, c.type, c.outcome, c.final, c.kind, c.bucket)
                    = (t.minute, t.created_minute, t.queue, t.type, t.outcome, t.final, 'runs', b)
                order by b
            ) as runs
        from total as t
    ),
    stored as (
        insert into rollup as kept (minute, created_minute, queue, type, outcome, final, n, waits, runs)
        select minute, created_minute, queue, type, outcome, final, n, waits, runs from folded
        on conflict on constraint rollup_pkey do update set
            n = kept.n + excluded.n,
            waits = array(select a + b from unnest(kept.waits, excluded.waits) as x (a, b)),
            runs = array(select a + b from unnest(kept.runs, excluded.runs) as x (a, b))
    ),
    by_hour as (
        select
            t.hour, t.queue, t.type, t.outcome, t.final, t.n,
            array_agg(h.wait order by h.bucket) as waits, array_agg(h.run order by h.bucket) as runs
        from (
            select date_bin('1 hour', minute, 'epoch') as hour, queue, type, outcome, final, sum(n) as n
            from folded
            group by hour, queue, type, outcome, final
        ) as t
        join (
            select
                date_bin('1 hour', f.minute, 'epoch') as hour, f.queue, f.type, f.outcome, f.final, b.bucket,
                sum(b.wait)::bigint as wait, sum(b.run)::bigint as run
            from folded as f
            cross join lateral unnest(f.waits, f.runs) with ordinality as b (wait, run, bucket)
            group by hour, f.queue, f.type, f.outcome, f.final, b.bucket
        ) as h using (hour, queue, type, outcome, final)
        group by t.hour, t.queue, t.type, t.outcome, t.final, t.n
    ),
    stored_by_hour as (
        insert into rollup_hour as kept (hour, queue, type, outcome, final, n, waits, runs)
        select hour, queue, type, outcome, final, n, waits, runs from by_hour
        on conflict on constraint rollup_hour_pkey do update set
            n = kept.n + excluded.n,
            waits = array(select a + b from unnest(kept.waits, excluded.waits) as x (a, b)),
            runs = array(select a + b from unnest(kept.runs, excluded.runs) as x (a, b))
    )
    select count(*) into taken from flush;
    return taken;
end
$$;
