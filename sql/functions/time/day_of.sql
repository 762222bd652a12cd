-- The day, in UTC, on which the task with this id was created, and whose partitions hold what is known of it.
create or replace function pgqueue_private.day_of(id uuid) returns date
language sql immutable strict parallel safe
as $$ select (pgqueue_private.id_time(id) at time zone 'utc')::date $$;
