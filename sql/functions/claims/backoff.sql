-- The seconds that a task waits after its n-th attempt failed (attempt: n, from 1), never more than the policy's cap:
-- base_s · 2^(n-1) if exponential, base_s · n if linear, base_s if fixed. Jitter spreads the delay over all of it
-- (full), over its second half (equal), or not at all (none).
-- What a policy leaves out, or all of it when the policy is null, defaults to exponential from 1 s to an hour with
-- equal jitter. This is the only function that computes a delay. It accepts any number of attempts.
create or replace function pgqueue_private.backoff(policy jsonb, attempt int) returns float8
language sql volatile parallel safe
as $$
    select whole * case coalesce(policy ->> 'jitter', 'equal')
        when 'full' then random()
        when 'equal' then 0.5 + random() / 2
        else 1
    end
    from (
        select least(
            coalesce(round((policy ->> 'cap_s')::numeric, 6)::float8, 3600),  -- 1e-400 is a numeric, but not a float8
            coalesce(round((policy ->> 'base_s')::numeric, 6)::float8, 1) * case coalesce(policy ->> 'kind', 'exponential')
                when 'exponential' then 2::float8 ^ least(greatest(attempt, 1) - 1, 60)
                when 'linear' then greatest(attempt, 1)
                else 1
            end
        ) as whole
    ) as grown
$$;
