-- True when webhooks may be sent to this URL: http or https with a host, no user, ASCII, at most 2,048 characters.
-- The address behind it is checked when something is sent: see docs/webhooks.md.
create or replace function pgqueue_private.url_fits(url text) returns boolean
language sql immutable strict parallel safe
as $$
    select length(url) <= 2048 and url ~ '^https?://([A-Za-z0-9._-]{1,253}|[[][0-9A-Fa-f:.]+[]])(:[0-9]{1,5})?([/?#][!-~]*)?$'
$$;
