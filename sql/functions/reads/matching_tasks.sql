-- Returns those of some tasks that a filter matches, newest first, at most max_ids.
-- filter: any or none of type, queue, status and tags (the task has all of these).
create or replace function pgqueue_private.matching_tasks(ids uuid[], filter jsonb, max_ids int) returns uuid[]
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
begin
    return array(
        select t.id
        from unnest(ids) as one (id)
        cross join lateral (select * from task as f where f.id = one.id limit 1) as t
        where (not filter ? 'type' or t.type = filter ->> 'type')
            and (not filter ? 'queue' or t.queue = filter ->> 'queue')
            and (not filter ? 'tags' or t.tags @> array(select jsonb_array_elements_text(filter -> 'tags')))
            and (
                not filter ? 'status'
                or (select s.status from tasks as s where s.id = t.id limit 1) = filter ->> 'status'
            )
        order by t.id desc
        limit max_ids
    );
end
$$;
