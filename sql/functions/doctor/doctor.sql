-- What is wrong, and what to do about it, as far as the database can tell: a row for each finding (level warning or
-- error; ok for a note of topic waiting), and one for each topic without any (level ok). `pgqueue doctor` adds what only the code knows: whether the
-- schema is its own, and how far its machine's clock is off.
create or replace function pgqueue.doctor()
returns table (topic text, level text, finding text, advice text)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    with finding as materialized (
        select * from doctor_settings()
        union all
        select * from doctor_days()
        union all
        select * from doctor_maintenance()
        union all
        select * from doctor_vacuum()
        union all
        select * from doctor_holders()
        union all
        select * from doctor_locks()
        union all
        select * from doctor_waiting()
    )
    select t.topic, coalesce(f.level, 'ok'), f.finding, f.advice
    from (
        values
            ('settings', 1), ('clock', 2), ('partitions', 3), ('retention', 4), ('maintenance', 5), ('autovacuum', 6),
            ('horizon', 7), ('bloat', 8), ('locks', 9), ('waiting', 10)
    ) as t (topic, n)
    left join finding as f on f.topic = t.topic
    order by t.n, f.level, f.finding
$$;

comment on function pgqueue.doctor is
    'Returns what is wrong and what to do about it: a row for each finding (level warning or error), and one for each '
    'topic without any (level ok).';
