-- Creates an API key of a user. Its id and its secret are made by the caller, who shows them once.
-- The key may do what its scopes say and the role of its user allows, both as they are when it is used.
create or replace function pgqueue_private.create_api_key(
    id text, secret_sha256 bytea, user_id bigint, name text, scopes text[], queues text[] default null, types text[] default null,
    expires_at timestamptz default null
) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    perform from app_user as u where u.id = user_id and u.disabled_at is null for share;
    if not found then
        raise exception 'there is no user %, or it is disabled', user_id using errcode = 'PQ002', hint = 'list the users';
    elsif (select count(*) from api_key as k where k.user_id = create_api_key.user_id and k.revoked_at is null) >= 100 then
        raise exception 'the user has 100 keys' using errcode = 'PQ003', hint = 'revoke some that nobody needs';
    elsif (queues is not null or types is not null) and scopes <> array['tasks:write'] then
        raise exception 'a key for some queues or types only submits'
            using errcode = 'PQ004', hint = 'give it the scope tasks:write alone';
    elsif expires_at <= pgqueue.clock() then
        raise exception 'the key would have expired already' using errcode = 'PQ004', hint = 'pass a later time';
    end if;
    insert into api_key (id, user_id, created_at, expires_at, name, secret_sha256, scopes, queues, types)
    values (id, user_id, pgqueue.clock(), expires_at, name, secret_sha256, scopes, queues, types);
end
$$;
