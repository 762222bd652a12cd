-- Stops a schedule, given by its name or id, from enqueuing until resume_schedule. Due times that pass meanwhile are
-- not made up for. Raises PQ002 when there is no such schedule.
create or replace function pgqueue.pause_schedule(name text) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
begin
    if find_schedule(name) is null then
        raise exception 'there is no schedule %', to_json(name)
            using errcode = 'PQ002', hint = 'the view pgqueue.schedules lists them';
    end if;
    perform patch_schedule(name, '{"enabled": false}');
end
$$;

comment on function pgqueue.pause_schedule is
    'Stops a schedule, by its name or id, from enqueuing until resume_schedule().';
