-- True when a payload is at most 256 KiB of text and nested at most 64 levels deep.
create or replace function pgqueue.payload_fits(payload jsonb) returns boolean
language sql immutable strict parallel safe
as $$
    select octet_length(payload::text) <= 262144 and not jsonb_path_exists(payload, '$.**{65}')
$$;
