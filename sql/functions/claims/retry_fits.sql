-- True when this is a retry policy: {"kind": "exponential" | "linear" | "fixed", "base_s": 1, "cap_s": 3600,
-- "jitter": "full" | "equal" | "none"}. Each field may be left out. base_s and cap_s are seconds, at most ten years.
create or replace function pgqueue_private.retry_fits(policy jsonb) returns boolean
language plpgsql immutable strict parallel safe
as $$
declare
    field record;
begin
    if jsonb_typeof(policy) <> 'object' then
        return false;
    end if;
    for field in select * from jsonb_each(policy) loop
        if not (case field.key
            when 'kind' then field.value in ('"exponential"', '"linear"', '"fixed"')
            when 'jitter' then field.value in ('"full"', '"equal"', '"none"')
            when 'base_s' then jsonb_typeof(field.value) = 'number' and field.value between '0' and '315360000'
            when 'cap_s' then jsonb_typeof(field.value) = 'number' and field.value between '0' and '315360000'
            else false
        end) then
            return false;
        end if;
    end loop;
    return true;
end
$$;
