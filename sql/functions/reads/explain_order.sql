-- How many runnable tasks of a queue come before the one at this position, counted up to max_counted; exact: the count
-- is neither too low nor too high. In a fair queue, where keys take turns, only those count that certainly come first:
-- the ones with a higher priority, and the earlier ones of its own key. Tasks that a key or a worker holds back do
-- not hold back others. Part of explain().
create or replace function pgqueue_private.explain_order(
    queue text, priority smallint, seq bigint, fairness_key text, max_counted int, out others bigint, out exact boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    fair constant boolean := exists (select from queue as q where q.name = explain_order.queue and q.fairness is not null);
begin
    if not fair then
        select count(*) into others
        from (
            select from ready as r
            where r.queue = explain_order.queue and (r.priority, r.seq) < (explain_order.priority, explain_order.seq)
            limit max_counted + 1
        ) as earlier;
        exact := others <= max_counted;
    else
        select count(*) into others
        from (
            (select from ready as r where r.queue = explain_order.queue and r.priority < explain_order.priority limit max_counted + 1)
            union all
            (
                select from ready as r
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
