-- The keys that have runnable tasks of a priority and of these types (null: of any) in a fair queue, in order: those
-- above one key (null: from the first), up to another (null: to the last), at most so many. Each key costs one index
-- descent, however many tasks it has, and passes over its tasks of other types.
create or replace function pgqueue_private.fair_keys(
    queue text, priority smallint, above text, up_to text, max_keys int, types text[]
) returns text[]
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return array(
        with recursive found as (
            select fair_keys.above as key, 0 as n
            union all
            select next.key, found.n + 1
            from found
            cross join lateral (
                select r.fairness_key as key
                from ready as r
                where r.queue = fair_keys.queue and r.priority = fair_keys.priority and r.fairness_key > coalesce(found.key, '')
                    and (types is null or r.type = any (types))
                order by r.fairness_key
                limit 1
            ) as next
            where found.n < max_keys and next.key <= coalesce(up_to, next.key)
        )
        select f.key from found as f where f.n > 0 order by f.n
    );
end
$$;
