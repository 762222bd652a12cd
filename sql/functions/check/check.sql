-- Checks that everything that is stored is consistent: a row for each inconsistency, none when the queue is sound.
-- topic is the kind of thing, subject its id or name, detail says in plain words what is wrong with it.
-- Each transition keeps these rules when it commits, so something else broke what is found: lost storage, a manual
-- change of the tables, or a bug. All rules look at one snapshot, that of the calling statement, so a busy queue
-- raises no false alarm. It only reads, so nobody waits.
-- It reads everything, ten to twenty seconds for each million stored tasks, and holds the horizon for that long: a
-- tool for operators and tests, not for a health probe.
create or replace function pgqueue.check()
returns table (topic text, subject text, detail text)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    select * from check_places()
    union all
    select * from check_facts()
    union all
    select * from check_leases()
    union all
    select * from check_attempts()
    union all
    select * from check_counts()
    union all
    select * from check_batches()
    union all
    select * from check_dependencies()
    union all
    select * from check_limits()
    union all
    select * from check_schedules()
    union all
    select * from check_dedup()
    union all
    select * from check_dead_letters()
$$;

comment on function pgqueue.check is
    'Checks that everything that is stored is consistent: a row for each inconsistency; reads everything, 10 to 20 s '
    'for each million tasks.';
