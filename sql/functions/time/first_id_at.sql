-- The lowest UUIDv7 of the given millisecond: a bound for ranges of ids by time.
create or replace function pgqueue_private.first_id_at(at timestamptz) returns uuid
language sql immutable strict parallel safe
as $$
    select (
        lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || '00000000000000000000'
    )::uuid
$$;
