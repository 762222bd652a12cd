-- The tasks that a task waits for, and that wait for it, directly or not, with the edges between them: JSON text of
-- nodes and edges. Goes step by step in both directions until it has max_tasks tasks; truncated says that there are
-- more. Null where there is no such task.
create or replace function pgqueue.task_graph(id uuid, max_tasks int default 1000) returns text
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    known uuid[] := array[id];
    fresh uuid[] := array[id];
    truncated boolean := false;
    graph text;
begin
    perform from task as t where t.id = task_graph.id;
    if not found then
        return null;
    end if;
    loop
        fresh := array(
            select n.id
            from unnest(fresh) as f (id)
            cross join lateral (
                (select d.parent_id as id from dependency as d where d.child_id = f.id limit max_tasks + 1)
                union all
                (select d.child_id from dependency as d where d.parent_id = f.id limit max_tasks + 1)
            ) as n
            except
            select unnest(known)
            order by id
            limit max_tasks + 1 - cardinality(known)
        );
        exit when fresh = '{}';
        if cardinality(known) + cardinality(fresh) > max_tasks then
            truncated := true;
            known := known || fresh[1:max_tasks - cardinality(known)];
            exit;
        end if;
        known := known || fresh;
    end loop;

    select json_build_object(
        'task_id', task_graph.id,
        'nodes', (
            select json_agg(json_build_object(
                'id', v.id, 'type', v.type, 'queue', v.queue, 'status', v.status, 'status_reason', v.status_reason, 'batch_id', v.batch_id
            ) order by v.id)
            from unnest(known) as k (id)
            cross join lateral (select * from tasks as t where t.id = k.id limit 1) as v
        ),
        'edges', (
            select coalesce(json_agg(json_build_object(
                'from', e.parent_id, 'to', e.child_id, 'on_failure', e.on_failure
            ) order by e.child_id, e.n), '[]')
            from (
                select d.parent_id, d.child_id, d.on_failure, d.n
                from unnest(known) as k (id)
                cross join lateral (
                    select * from dependency as c where c.child_id = k.id order by c.parent_id limit 10000
                ) as d
                where d.parent_id = any (known)
                limit 10000
            ) as e
        ),
        'truncated', truncated
    )::text into graph;
    return graph;
end
$$;

comment on function pgqueue.task_graph is
    'Returns the tasks that a task waits for and that wait for it, directly or not, at most as many as given, as '
    'JSON text of nodes and edges; null: there is no such task.';
