-- Has every API process forget what it knows of users, keys and sessions, once this transaction commits.
create or replace function pgqueue_private.access_changed() returns void
language sql
as $$ select pg_catalog.pg_notify('pgqueue_control', 'access') $$;
