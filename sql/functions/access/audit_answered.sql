-- Notes how a change was answered that audit_asked() has noted.
create or replace function pgqueue_private.audit_answered(id uuid, status int) returns void
language sql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$ update audit as a set status = audit_answered.status where a.id = audit_answered.id and a.status is null $$;
