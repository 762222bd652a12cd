-- True when this is a rate: one to five spans, each with a count, spread evenly if smooth: [{"count": 20,
-- "per_seconds": 1, "smooth": true}, …].
create or replace function pgqueue_private.rate_fits(rate jsonb) returns boolean
language plpgsql immutable
as $$
begin
    if rate is null then
        return null;
    end if;
    if jsonb_typeof(rate) <> 'array' or jsonb_array_length(rate) not between 1 and 5 then
        return false;
    end if;
    return (
        select bool_and(
            case
                when jsonb_typeof(r) <> 'object' then false
                when jsonb_typeof(r -> 'count') <> 'number' or jsonb_typeof(r -> 'per_seconds') <> 'number' then false
                else coalesce(
                    r - array['count', 'per_seconds', 'smooth'] = '{}'
                    and (r -> 'count')::numeric between 1 and 1000000 and scale((r -> 'count')::numeric) = 0
                    and (r -> 'per_seconds')::numeric between 0.001 and 2592000
                    and coalesce(jsonb_typeof(r -> 'smooth'), 'boolean') = 'boolean', false
                )
            end
        )
        from jsonb_array_elements(rate) as r
    );
end
$$;
