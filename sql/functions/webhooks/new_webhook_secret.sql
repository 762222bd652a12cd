-- A new secret of 32 random bytes, in the form of Standard Webhooks. gen_random_uuid() is PostgreSQL's strong
-- randomness: each of the three has 122 random bits.
create or replace function pgqueue_private.new_webhook_secret() returns text
language sql volatile
as $$
    select 'whsec_' || encode(
        sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'base64'
    )
$$;
