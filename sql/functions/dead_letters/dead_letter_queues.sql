-- The queues that have dead letters, found by one index descent for each, with their policies.
create or replace function pgqueue_private.dead_letter_queues()
returns table (queue text, retention interval, growth_limit int, alert_type text)
language sql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    with recursive found as (
        (select d.queue from dead_letter as d order by d.queue limit 1)
        union all
        select (select d.queue from dead_letter as d where d.queue > f.queue order by d.queue limit 1)
        from found as f
        where f.queue is not null
    )
    select
        f.queue, coalesce(own.retention, usual.retention), coalesce(own.growth_limit, usual.growth_limit),
        coalesce(own.alert_type, usual.alert_type)
    from (
        select queue from found where queue is not null
        union
        select queue from dead_letter_level
    ) as f
    join dead_letter_policy as usual on usual.queue = '*'
    left join dead_letter_policy as own on own.queue = f.queue
$$;
