-- The first 64 bits of a UUIDv7 of the given time, which differ between two microseconds.
create or replace function pgqueue_private.id_bits(at timestamptz) returns bigint
language sql immutable strict parallel safe
as $$
    select
        (floor(extract(epoch from at) * 1000)::bigint << 16)
        | 28672  -- version 7
        | (floor((extract(epoch from at) * 1000 % 1) * 4096)::bigint)
$$;
