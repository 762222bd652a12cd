-- The time in a UUIDv7, to the microsecond.
create or replace function pgqueue_private.id_time(id uuid) returns timestamptz
language sql immutable strict parallel safe
as $$
    select to_timestamp((
        ('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint * 1000
        + ceil(('x0' || substr(id::text, 16, 3))::bit(16)::int * 1000 / 4096.0)
    ) / 1000000)
$$;
