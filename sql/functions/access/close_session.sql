-- Ends a session, or all of its user, and returns whether there was one.
create or replace function pgqueue_private.close_session(token_sha256 bytea, everywhere boolean default false) returns boolean
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    owner bigint;
begin
    delete from session as s where s.token_sha256 = close_session.token_sha256 returning s.user_id into owner;
    if owner is null then
        return false;
    end if;
    if everywhere then
        delete from session as s where s.user_id = owner;
    end if;
    perform access_changed();
    return true;
end
$$;
