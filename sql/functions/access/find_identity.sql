-- Returns the user whom an issuer knows by this subject. One who is not known yet is found by an address that the
-- issuer has verified (null: it has not), if a user has it, and is known by the subject from then on.
create or replace function pgqueue_private.find_identity(issuer text, subject text, verified_email text default null)
returns table (user_id bigint, email text, role text)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if not exists (
        select from user_identity as i where i.issuer = find_identity.issuer and i.subject = find_identity.subject
    ) then
        insert into user_identity (issuer, subject, user_id, linked_at, email)
        select find_identity.issuer, find_identity.subject, u.id, pgqueue.clock(), u.email
        from app_user as u
        where u.email = lower(verified_email) and u.disabled_at is null
        on conflict do nothing;
    end if;
    return query
    select u.id, u.email, u.role
    from user_identity as i
    join app_user as u on u.id = i.user_id
    where i.issuer = find_identity.issuer and i.subject = find_identity.subject and u.disabled_at is null;
end
$$;
