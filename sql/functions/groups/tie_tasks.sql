-- Makes new tasks wait for others, as their depends_on says: a list of ids, of positions in the request (from 0), or
-- of objects {"task": either, "on_failure": "cancel" (the default), "run" or "fail"}. on_failure says what happens to
-- the task when that parent fails or is cancelled.
-- ids are those of the tasks, in order. A parent that has ended counts at once. Raises PQ004 for a parent that does
-- not exist, and for tasks that wait for each other, with the cycle.
create or replace function pgqueue_private.tie_tasks(tasks jsonb, ids uuid[]) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    size constant int := cardinality(ids);
    wrong record;
    children int[];                                 -- positions from 1
    parents int[];                                  -- null: not in this request
    parent_ids uuid[];
    policies text[];
    places int[];
    around int[];
    others record;
    batches uuid[];
begin
    -- Refuse what is not a list, has too many elements, or has one that is not an edge.
    select e.n - 1 as place into wrong
    from jsonb_array_elements(tasks) with ordinality as e (task, n)
    where jsonb_typeof(e.task -> 'depends_on') not in ('array', 'null')
        or case when jsonb_typeof(e.task -> 'depends_on') = 'array' then jsonb_array_length(e.task -> 'depends_on') > 10000 end
    limit 1;
    if found then
        raise exception 'depends_on of task % must be a list of at most 10,000 elements', wrong.place using errcode = 'PQ004';
    end if;

    select
        array_agg(d.child), array_agg(d.place + 1), array_agg(coalesce(ids[d.place + 1], d.parent_id)), array_agg(d.on_failure),
        array_agg(d.n)
    into children, parents, parent_ids, policies, places
    from (
        select
            e.n::int as child, i.n::int as n,
            case when jsonb_typeof(t.task) = 'number' and (t.task #>> '{}') ~ '^[0-9]{1,6}$' then (t.task #>> '{}')::int end as place,
            case
                when jsonb_typeof(t.task) = 'string'
                    and (t.task #>> '{}') ~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' then (t.task #>> '{}')::uuid
            end as parent_id,
            case when jsonb_typeof(i.item) = 'object' then coalesce(i.item ->> 'on_failure', 'cancel') else 'cancel' end as on_failure
        from jsonb_array_elements(tasks) with ordinality as e (task, n)
        cross join lateral jsonb_array_elements(
            case when jsonb_typeof(e.task -> 'depends_on') = 'array' then e.task -> 'depends_on' else '[]' end
        ) with ordinality as i (item, n)
        cross join lateral (select case when jsonb_typeof(i.item) = 'object' then i.item -> 'task' else i.item end as task) as t
        order by e.n, i.n
    ) as d;
    if children is null then
        return;
    end if;

    select c - 1 as child, n - 1 as n, p is not null as placed, p - 1 as place, policy into wrong
    from unnest(children, places, parents, parent_ids, policies) as u (c, n, p, id, policy)
    where id is null or policy not in ('cancel', 'run', 'fail')
    limit 1;
    if found then
        raise exception 'task % cannot depend on this', wrong.child
            using errcode = 'PQ004', detail = format('/%s/depends_on/%s', wrong.child, wrong.n), hint = case
                when wrong.policy not in ('cancel', 'run', 'fail') then 'on_failure is cancel, run or fail'
                when wrong.placed then format('%s is not a position in this request of %s, counted from 0', wrong.place, size)
                else 'give the id of a task, or its position in this request, counted from 0'
            end;
    end if;

    around := find_cycle(children, parents);
    if around is not null then
        raise exception 'tasks wait for each other: %', (
            select string_agg((p - 1)::text, ' → ' order by n) from unnest(around) with ordinality as a (p, n)
        )
            using errcode = 'PQ004', hint = 'the tasks at these positions of the request depend on each other in a cycle: none of them could ever run';
    end if;

    select * into others
    from hold_tasks(array(select distinct id from unnest(parents, parent_ids) as u (p, id) where p is null));
    if others.unknown <> '{}' then
        select c - 1 as child, n - 1 as n into wrong
        from unnest(children, places, parent_ids) as u (c, n, id)
        where id = others.unknown[1]
        limit 1;
        raise exception 'task % depends on %, which does not exist', wrong.child, others.unknown[1]
            using errcode = 'PQ004', detail = format('/%s/depends_on/%s', wrong.child, wrong.n),
                hint = 'enqueue it first, or in the same request and name its position, counted from 0';
    end if;

    insert into dependency (child_id, parent_id, n, on_failure)
    select ids[c], id, n, policy
    from unnest(children, places, parent_ids, policies) as u (c, n, id, policy)
    on conflict do nothing;
    insert into blocker (parent_id, child_id, on_failure)
    select id, ids[c], policy
    from unnest(children, parent_ids, policies) as u (c, id, policy)
    on conflict do nothing;
    update task as t set followed = true
    where t.id = any (array(select distinct id from unnest(parents, parent_ids) as u (p, id) where p is not null)) and t.id >= ids[1];

    if others.ended <> '{}' then
        batches := follow_dependents(others.ended, others.outcomes);
        if cardinality(batches) > 0 then
            perform end_batches(batches);
        end if;
    end if;
end
$$;
