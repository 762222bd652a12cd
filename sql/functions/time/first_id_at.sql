-- The lowest UUIDv7 of the given time: a bound for ranges of ids. As exact as created_at: see id_bits().
create or replace function pgqueue_private.first_id_at(at timestamptz) returns uuid
language sql immutable strict parallel safe
as $$ select encode(int8send(pgqueue_private.id_bits(at)) || int8send(0), 'hex')::uuid $$;
