-- The outcomes of a task's parents, in the order in which it names them, each as JSON text: id, type, status, result
-- and error. Raises PQ004 when that is more than 16 MiB.
create or replace function pgqueue_private.parents_of(id uuid) returns text[]
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    items text[];
    bytes bigint;
begin
    with parent as (
        select
            d.n, json_build_object('id', v.id, 'type', v.type, 'status', v.status, 'result', v.result, 'error', v.error)::text as item
        from dependency as d
        cross join lateral (
            select t.id, t.type, t.status, t.result, t.error from tasks as t where t.id = d.parent_id limit 1
        ) as v
        where d.child_id = parents_of.id
    )
    select coalesce(array_agg(item order by n), '{}'), sum(octet_length(item)) into items, bytes from parent;
    if bytes > 16777216 then
        raise exception 'the parents of task % have % bytes of results', id, bytes
            using errcode = 'PQ004', hint = 'the limit is 16 MiB: let the parents store large results elsewhere, such as in artifacts';
    end if;
    return items;
end
$$;
