-- Ends a session, if there is one with this token.
create or replace function pgqueue_private.close_session(token_sha256 bytea) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    delete from session as s where s.token_sha256 = close_session.token_sha256;
    if found then
        perform access_changed();
    end if;
end
$$;
