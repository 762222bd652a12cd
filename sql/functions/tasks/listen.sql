-- Records that the named process listens on a channel for the next seconds, so that its writers notify; 0 seconds: it
-- no longer listens.
create or replace function pgqueue_private.listen(name text, channel text, seconds float8) returns void
language sql
as $$
    insert into pgqueue_private.listener (name, channel, expires_at)
    values (name, channel, pgqueue.clock() + seconds * interval '1 second')
    on conflict on constraint listener_pkey do update set expires_at = excluded.expires_at
$$;
