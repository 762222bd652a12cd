-- Lets a paused schedule, given by its name or id, continue with its next due time from now. Raises PQ002 when there
-- is no such schedule.
create or replace function pgqueue.resume_schedule(name text) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
begin
    if find_schedule(name) is null then
        raise exception 'there is no schedule %', to_json(name)
            using errcode = 'PQ002', hint = 'the view pgqueue.schedules lists them';
    end if;
    perform patch_schedule(name, '{"enabled": true}');
end
$$;

comment on function pgqueue.resume_schedule is
    'Lets a paused schedule, by its name or id, continue with its next due time.';
