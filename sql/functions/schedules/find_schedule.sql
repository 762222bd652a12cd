-- The id of the schedule with this id or name (no name looks like an id); null when there is none.
create or replace function pgqueue_private.find_schedule(which text) returns uuid
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
begin
    if which ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        return (select s.id from schedule as s where s.id = which::uuid);
    end if;
    return (select s.id from schedule as s where s.user_id = 0 and s.name = which);
end
$$;
