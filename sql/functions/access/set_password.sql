-- Gives a user another password, of which this is the hash, and ends their sessions but that with this token.
create or replace function pgqueue_private.set_password(user_id bigint, password_hash text, kept_sha256 bytea default null)
returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    update app_user as u set password_hash = set_password.password_hash where u.id = user_id;
    if not found then
        raise exception 'there is no user %', user_id using errcode = 'PQ002', hint = 'list the users';
    end if;
    delete from session as s where s.user_id = set_password.user_id and s.token_sha256 is distinct from kept_sha256;
    perform access_changed();
end
$$;
