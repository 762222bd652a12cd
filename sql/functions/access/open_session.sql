-- Opens a session of a user, whose token has this hash. The oldest of more than 50 ends.
create or replace function pgqueue_private.open_session(token_sha256 bytea, user_id bigint, lasts_s float8) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
begin
    insert into session (token_sha256, user_id, created_at, seen_at, expires_at)
    values (token_sha256, user_id, now, now, now + lasts_s * interval '1 second');
    delete from session as s
    where s.token_sha256 in (
        select o.token_sha256 from session as o where o.user_id = open_session.user_id order by o.created_at desc offset 50
    );
end
$$;
