-- Revokes an API key, of this user (null: of anyone), and returns whether there is one that still worked.
create or replace function pgqueue_private.revoke_api_key(id text, user_id bigint default null) returns boolean
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    update api_key as k set revoked_at = pgqueue.clock()
    where k.id = revoke_api_key.id and (user_id is null or k.user_id = user_id) and k.revoked_at is null;
    if not found then
        return false;
    end if;
    perform access_changed();
    return true;
end
$$;
