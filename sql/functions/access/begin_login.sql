-- Remembers a sign-in that an issuer is to answer within ten minutes, and forgets those that it did not.
create or replace function pgqueue_private.begin_login(
    state_sha256 bytea, browser_sha256 bytea, nonce text, code_verifier text, return_to text
) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
begin
    delete from oidc_login as o
    where o.state_sha256 in (select e.state_sha256 from oidc_login as e where e.expires_at < now limit 100 for update skip locked);
    insert into oidc_login values (state_sha256, browser_sha256, now + interval '10 minutes', nonce, code_verifier, return_to);
end
$$;
