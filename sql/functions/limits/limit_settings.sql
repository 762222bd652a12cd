-- Raises PQ004 unless this is what a limit may say: concurrency and rate, null where it says nothing.
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
        raise exception 'this is no concurrency' using errcode = 'PQ004', hint = 'a whole number from 1 to 1000000';
    end if;
    if not coalesce(rate_fits(nullif(settings -> 'rate', 'null')), true) then
        raise exception 'this is no rate'
            using errcode = 'PQ004', hint = 'one to five such as [{"count": 20, "per_seconds": 1}], with "smooth": true if evenly; '
                'a count is 1 to 1000000, a span at most 30 days';
    end if;
end
$$;
