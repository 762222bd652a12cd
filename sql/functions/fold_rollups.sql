-- Folds what finish flushes appended into one row a minute and kind, and returns how many flush rows it took.
-- One folder at a time; who finds another at it does nothing.
create or replace function pgqueue.fold_rollups(max_rows int default 20000) returns int
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
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
    )
    select count(*) into taken from flush;
    return taken;
end
$$;
