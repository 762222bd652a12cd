-- How many runnable tasks of a queue come before the one of this type at this position, counted among the first
-- max_counted; exact: the count is neither too low nor too high. Tasks of types that no live worker has beside this one
-- do not come before it. In a fair queue, where keys take turns, only those count that certainly come first: the ones
-- with a higher priority, and the earlier ones of its own key. Tasks that a key or a worker holds back do not hold back
-- others. Part of explain().
create or replace function pgqueue_private.explain_order(
    queue text, type text, priority smallint, seq bigint, fairness_key text, max_counted int, out others bigint, out exact boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    fair constant boolean := exists (select from queue as q where q.name = explain_order.queue and q.fairness is not null);
    now constant timestamptz := pgqueue.clock();
    -- What the same workers take; null: no live worker has this type.
    rivals constant text[] := (
        select array_agg(distinct rival)
        from worker as w
        cross join unnest(w.types) as rival
        where w.state = 'active' and w.expires_at > now and explain_order.type = any (w.types)
    );
begin
    if not fair then
        select count(*) filter (where rivals is null or earlier.type = any (rivals)), count(*) <= max_counted into others, exact
        from (
            select r.type from ready as r
            where r.queue = explain_order.queue and (r.priority, r.seq) < (explain_order.priority, explain_order.seq)
            limit max_counted + 1
        ) as earlier;
    else
        select count(*) filter (where rivals is null or earlier.type = any (rivals)) into others
        from (
            (
                select r.type from ready as r
                where r.queue = explain_order.queue and r.priority < explain_order.priority
                limit max_counted + 1
            )
            union all
            (
                select r.type from ready as r
                where r.queue = explain_order.queue and r.priority = explain_order.priority and r.fairness_key = explain_order.fairness_key
                    and r.seq < explain_order.seq
                limit max_counted + 1
            )
        ) as earlier;
        exact := false;
    end if;
    others := least(others, max_counted);
end
$$;
