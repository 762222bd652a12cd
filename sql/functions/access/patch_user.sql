-- Changes settings of a user (name, role, enabled) if it is in one of these versions (null: in any), and returns the
-- new version; null if it is in another. A user who is disabled, or has another role, is signed out everywhere.
-- One enabled admin always stays.
create or replace function pgqueue_private.patch_user(id bigint, settings jsonb, versions bigint[] default null) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    old app_user;
    new app_user;
begin
    perform pg_advisory_xact_lock(hashtextextended('pgqueue:users', 0));  -- two admins may disable each other
    select * into old from app_user as u where u.id = patch_user.id for update;
    if not found then
        raise exception 'there is no user %', id using errcode = 'PQ002', hint = 'list the users';
    elsif old.version <> all (versions) then
        return null;
    end if;
    new := old;
    new.name := coalesce(settings ->> 'name', new.name);
    new.role := coalesce(settings ->> 'role', new.role);
    if (settings ->> 'enabled')::boolean then
        new.disabled_at := null;
    elsif not (settings ->> 'enabled')::boolean then
        new.disabled_at := coalesce(new.disabled_at, pgqueue.clock());
    end if;
    perform user_fits(new.email, new.role, new.name);
    if old.role = 'admin' and old.disabled_at is null and (new.role <> 'admin' or new.disabled_at is not null)
        and not exists (select from app_user as u where u.id <> old.id and u.role = 'admin' and u.disabled_at is null)
    then
        raise exception '% is the last admin', old.email using errcode = 'PQ003', hint = 'make another one first';
    end if;
    update app_user as u set name = new.name, role = new.role, disabled_at = new.disabled_at, version = u.version + 1
    where u.id = old.id;
    if new.role <> old.role or new.disabled_at is not null then
        delete from session as s where s.user_id = old.id;
    end if;
    perform access_changed();
    return old.version + 1;
end
$$;
