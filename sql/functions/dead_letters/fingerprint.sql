-- Which failures are one and the same: the type, the error's class, its message without what changes from one to the next
-- (quoted text and every word that holds a digit), and where in the user's code it was raised.
create or replace function pgqueue_private.fingerprint(type text, error jsonb) returns text
language sql stable parallel safe  -- no more than what it calls, so that it is inlined: 10 µs instead of 45
as $$
    select left(encode(sha256(convert_to(concat_ws(
        E'\n', type, error ->> 'type',
        regexp_replace(left(error ->> 'message', 300), '''[^'']*''|"[^"]*"|\S*\d\S*', '#', 'g'),
        error ->> 'frame'
    ), 'UTF8')), 'hex'), 16)
$$;
