-- True when a payload is at most 256 KiB of text and nested at most 64 levels deep.
-- Not a SQL function: that would be inlined, so every insert would parse it again, although only large payloads come
-- here.
create or replace function pgqueue_private.payload_fits(payload jsonb) returns boolean
language plpgsql immutable strict parallel safe
as $$
begin
    return octet_length(payload::text) <= 262144 and not jsonb_path_exists(payload, '$.**{65}');
end
$$;
