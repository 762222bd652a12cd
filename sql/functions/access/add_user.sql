-- Adds a user and returns the id. With the first one, the API asks everyone who they are.
create or replace function pgqueue_private.add_user(
    email text, role text, name text default '', password_hash text default null
) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    made bigint;
begin
    perform user_fits(email, role, name);
    insert into app_user as u (created_at, role, email, name, password_hash)
    values (pgqueue.clock(), role, lower(email), name, password_hash)
    on conflict do nothing
    returning u.id into made;
    if made is null then
        raise exception 'there is a user % already', lower(email) using errcode = 'PQ003', hint = 'change that one';
    end if;
    perform access_changed();
    return made;
end
$$;
