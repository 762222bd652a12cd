-- The histogram bucket of a duration: bucket b holds what took at most 0.5 ms × 2^b, 0 to 25 (4.7 hours and more).
create or replace function pgqueue_private.bucket(duration interval) returns smallint
language sql immutable parallel safe
as $$
    select least(25, greatest(0, ceil(ln(greatest(date_part('epoch', duration), 1e-6) * 2000) * 1.4426950408889634)))::smallint
$$;
