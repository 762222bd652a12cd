-- Raises PQ004 unless concurrency and rate are values that a limit may have. Null means that the limit does not set
-- it.
create or replace function pgqueue_private.limit_settings(settings jsonb) returns void
language plpgsql immutable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    concurrency constant jsonb := nullif(settings -> 'concurrency', 'null');
begin
    if
        concurrency is not null and not coalesce(
            case when jsonb_typeof(concurrency) = 'number' then scale(concurrency::numeric) = 0 and concurrency::numeric between 1 and 1000000 end,
            false
        )
    then
        raise exception 'concurrency must be a whole number from 1 to 1000000; got %', left(concurrency::text, 100)
            using errcode = 'PQ004', hint = 'send such a number, or null for no concurrency';
    end if;
    if not coalesce(rate_fits(nullif(settings -> 'rate', 'null')), true) then
        raise exception 'rate must be a list of objects {count, per_seconds}; got %', left(settings ->> 'rate', 100)
            using errcode = 'PQ004', hint = 'send one to five such as [{"count": 20, "per_seconds": 1}], with "smooth": true to spread '
                'the starts evenly; a count is 1 to 1000000, a span at most 30 days';
    end if;
end
$$;
