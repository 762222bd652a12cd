-- The position of each task of a request among its stored tasks; a task that another one of the request stands in for
-- gets that one's position.
create or replace function pgqueue_private.places_of(verdicts text[], twins int[]) returns int[]
language sql immutable
as $$
    with stored as (
        select k as n, row_number() over (order by k) as place from generate_subscripts(verdicts, 1) as k where verdicts[k] = 'stored'
    )
    select array_agg(s.place order by k)
    from generate_subscripts(verdicts, 1) as k
    left join stored as s on s.n = case when verdicts[k] = 'stored' then k else twins[k] end
$$;
