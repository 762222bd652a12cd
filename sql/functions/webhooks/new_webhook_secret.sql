-- A new secret of 32 random bytes, in the form of Standard Webhooks. gen_random_uuid() is PostgreSQL's strong randomness: 122 bits
-- of each of the three.
create or replace function pgqueue_private.new_webhook_secret() returns text
language sql volatile
as $$
    select 'whsec_' || encode(
        sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'
    )
$$;
