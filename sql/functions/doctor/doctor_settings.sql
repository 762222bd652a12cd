-- Settings of PostgreSQL that lose data when it or the machine crashes, and a pgqueue clock that is shifted.
create or replace function pgqueue_private.doctor_settings()
returns table (topic text, level text, finding text, advice text)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    select
        'settings', 'error', s.name || ' is off: ' || s.what,
        case s.name
            when 'synchronous_commit' then 'set it to on or local, for this database and role, too (alter database … set, '
                'alter role … set). Workers turn it off for claims, which is safe'
            else 'alter system set ' || s.name || ' = on; select pg_reload_conf()'
        end
    from (
        values
            ('fsync', 'a crash of the machine can destroy the whole database'),
            ('full_page_writes', 'a crash of the machine can leave torn pages'),
            ('synchronous_commit', 'a crash of PostgreSQL loses tasks and results that were acknowledged')
    ) as s (name, what)
    where current_setting(s.name) = 'off'
    union all
    select
        'clock', 'error',
        'the clock of pgqueue differs from the server''s by ' || round(extract(epoch from pgqueue.clock() - clock_timestamp())::numeric)
        || ' s',
        'a test has shifted it. To reset it: select pgqueue_private.shift_clock(''0'')'
    where abs(extract(epoch from pgqueue.clock() - clock_timestamp())) > 1
$$;
