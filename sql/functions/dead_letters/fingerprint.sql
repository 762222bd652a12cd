-- Identifies failures of the same kind: the type, the error's class, its message without the parts that vary (quoted
-- text and every word that holds a digit), and where in the user's code it was raised.
create or replace function pgqueue_private.fingerprint(type text, error jsonb) returns text
language sql stable parallel safe  -- stable like the functions it calls, so that it is inlined: 10 µs instead of 45
as $$
    select left(encode(sha256(convert_to(concat_ws(
        E'\n', type, error ->> 'type',
        regexp_replace(left(error ->> 'message', 300), '''[^'']*''|"[^"]*"|[^[:space:]]*[[:digit:]][^[:space:]]*', '#', 'g'),
        error ->> 'frame'
    ), 'UTF8')), 'hex'), 16)
$$;
