-- A page of a batch's tasks, in the order in which they were created, as the JSON text that the HTTP API returns:
-- those in one status, or all. Looks at no more than 2,000, so a page may be short although next still says where to
-- continue; next is null at the end.
create or replace function pgqueue_private.batch_tasks(
    batch_id uuid, status text, after uuid, max_rows int, max_bytes int default 4194304, out items text[], out next uuid
)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    looked uuid[];
    hits uuid[];
begin
    looked := array(
        select t.id
        from task as t
        where t.batch_id = batch_tasks.batch_id and t.id > coalesce(after, '00000000-0000-0000-0000-000000000000')
        order by t.id
        limit case when batch_tasks.status is null then max_rows else 2000 end + 1
    );
    hits := array(
        select c.id
        from unnest(looked) as c (id)
        where batch_tasks.status is null
            or (select v.status from tasks as v where v.id = c.id limit 1) = batch_tasks.status
        order by c.id
        limit max_rows + 1
    );
    if cardinality(hits) > max_rows then
        hits := hits[1:max_rows];
        next := hits[max_rows];
    elsif batch_tasks.status is not null and cardinality(looked) > 2000 then
        next := looked[2000];
        hits := array(select h from unnest(hits) as h where h <= batch_tasks.next order by h);
    end if;

    with state as (
        select s.id, s.state, sum(octet_length(s.state)) over (order by s.id) as bytes from task_states(hits) as s
    ),
    fitting as (
        select * from state where bytes <= max_bytes or bytes = octet_length(state)
    )
    select coalesce(array_agg(f.state order by f.id), '{}'), case
        when count(*) < cardinality(hits) then max(f.id::text)::uuid else batch_tasks.next
    end
    into items, next
    from fitting as f;
end
$$;
