-- Whether this is a URL that something may be sent to: http or https with a host, no user, ASCII, 2,048 characters at most.
-- Where it leads is looked at when it is sent: see docs/webhooks.md.
create or replace function pgqueue_private.url_fits(url text) returns boolean
language sql immutable strict parallel safe
as $$
    select length(url) <= 2048 and url ~ '^https?://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][!-~]*)?$'
$$;
