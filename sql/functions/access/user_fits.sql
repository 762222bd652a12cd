-- Raises PQ004 for what cannot be a user.
create or replace function pgqueue_private.user_fits(email text, role text, name text) returns void
language plpgsql immutable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
begin
    if email is null or email !~ '^[^@[:space:][:cntrl:]]{1,64}@[^@[:space:][:cntrl:]]{1,190}$' then
        raise exception '% is not an e-mail address', coalesce(quote_literal(left(email, 100)), 'null')
            using errcode = 'PQ004', hint = 'such as ada@example.com';
    elsif role is null or role not in ('viewer', 'operator', 'admin') then
        raise exception '% is not a role', coalesce(quote_literal(left(role, 100)), 'null')
            using errcode = 'PQ004', hint = 'the roles are viewer, operator and admin';
    elsif name is null or length(name) > 200 then
        raise exception 'the name of a user has at most 200 characters' using errcode = 'PQ004', hint = 'use a shorter one';
    end if;
end
$$;
