-- Makes the schedules of an app match its code: creates those that are missing, changes those that differ, and pauses
-- those that it declared before but no longer declares. One that is declared again continues. Apart from that, people
-- decide whether a schedule is paused.
-- A schedule that was created by hand, or by another app, is taken over. Each element: name, and all that
-- patch_schedule takes. Returns the names of those that it changed.
create or replace function pgqueue_private.declare_schedules(app text, declared jsonb) returns text[]
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    one record;
    known schedule;
    settings jsonb;
    changed text[] := '{}';
    gone record;
begin
    for one in
        select d.item ->> 'name' as name, d.item - 'name' as settings
        from jsonb_array_elements(declared) as d (item)
        order by 1
    loop
        select * into known from schedule as s where s.id = find_schedule(one.name);
        settings := '{"enabled": true}' || one.settings;
        if found and known.undeclared_at is null then
            settings := settings - 'enabled';
        end if;
        if patch_schedule(one.name, settings, declared_by => app) is distinct from known.version then
            changed := changed || one.name;
        end if;
    end loop;

    for gone in
        select s.id, s.name
        from schedule as s
        where s.declared_by = app and s.undeclared_at is null
            and s.name <> all (array(select d.item ->> 'name' from jsonb_array_elements(declared) as d (item)))
        order by s.name
    loop
        perform patch_schedule(gone.name, '{"enabled": false}');
        update schedule as s set undeclared_at = pgqueue.clock() where s.id = gone.id;
        changed := changed || gone.name;
    end loop;
    return changed;
end
$$;
