-- A UUIDv7: 48 bits of milliseconds and 12 bits of their fraction (RFC 9562, method 3) from id_bits(), 18 bits of n,
-- which orders the ids of one call, and 44 random bits. It is the same on every version of PostgreSQL: PostgreSQL
-- 18's uuidv7() asks the operating system for strong randomness each time, 6 µs where the server is built without
-- OpenSSL, and ids need no secrecy.
create or replace function pgqueue_private.new_id(bits bigint, n bigint) returns uuid
language sql volatile parallel safe
as $$
    select encode(
        int8send(bits)
        -- the variant is binary 10: the sign bit alone
        || int8send((-9223372036854775808) + ((n & 262143) << 44) + floor(random() * 17592186044416)::bigint),
        'hex'
    )::uuid
$$;
