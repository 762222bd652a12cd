-- Renumbers a depends_on: a position in the request becomes the position among the stored tasks (places); a task that
-- is not stored becomes the id of the task that stands in for it.
create or replace function pgqueue_private.renumber(depends_on jsonb, places int[], ids uuid[]) returns jsonb
language sql immutable
as $$
    select coalesce(jsonb_agg(
        case
            when not t.placed then i.item
            when jsonb_typeof(i.item) = 'object' then i.item || jsonb_build_object('task', t.moved)
            else t.moved
        end
        order by i.n
    ), '[]')
    from jsonb_array_elements(case when jsonb_typeof(depends_on) = 'array' then depends_on else '[]' end) with ordinality as i (item, n)
    cross join lateral (select case when jsonb_typeof(i.item) = 'object' then i.item -> 'task' else i.item end as task) as g
    cross join lateral (
        select case when jsonb_typeof(g.task) = 'number' and (g.task #>> '{}') ~ '^[0-9]{1,6}$' then (g.task #>> '{}')::int + 1 end as at
    ) as p
    cross join lateral (
        select
            coalesce(p.at between 1 and cardinality(places), false) as placed, coalesce(to_jsonb(places[p.at] - 1), to_jsonb(ids[p.at])) as moved
    ) as t
$$;
