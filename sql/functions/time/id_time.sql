-- The time in a UUIDv7, to the millisecond.
create or replace function pgqueue_private.id_time(id uuid) returns timestamptz
language sql immutable strict parallel safe
as $$
    select to_timestamp(
        ('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0
    )
$$;
