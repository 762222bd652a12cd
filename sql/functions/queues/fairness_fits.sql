-- True when this is the fairness of a queue: {} or {"weights": {"key": n, …}}.
create or replace function pgqueue_private.fairness_fits(fairness jsonb) returns boolean
language plpgsql immutable
as $$
begin
    if fairness is null or fairness = '{}' then
        return fairness is not null or null;
    end if;
    if jsonb_typeof(fairness) <> 'object' or fairness - 'weights' <> '{}' or jsonb_typeof(fairness -> 'weights') <> 'object' then
        return false;
    end if;
    return count(*) <= 1000 and coalesce(bool_and(
        length(w.key) between 1 and 255
        and case when jsonb_typeof(w.value) = 'number' then w.value::numeric between 1 and 100 and scale(w.value::numeric) = 0 else false end
    ), true)
    from jsonb_each(fairness -> 'weights') as w;
end
$$;
