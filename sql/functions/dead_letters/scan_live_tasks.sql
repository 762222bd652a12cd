-- Scans the tasks that have not ended and that a filter matches (type, queue, status, from, to, ids: any or none), by
-- their tokens, from a position on, and returns those that can be cancelled: at most max_ids, looking at no more than
-- max_looked. The next call continues at next; ended: the scan has reached the end. It may miss a token that moved
-- meanwhile: scan again from the start.
create or replace function pgqueue_private.scan_live_tasks(
    filter jsonb, place jsonb, max_ids int, max_looked int, created_before timestamptz default 'infinity',
    out ids uuid[], out next jsonb, out looked int, out ended boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    stage text := coalesce(place ->> 'stage', case when filter ? 'ids' then 'ids' else 'ready' end);
    wanted_queue constant text := filter ->> 'queue';
    wanted_type constant text := filter ->> 'type';
    wanted_status constant text := filter ->> 'status';
    low constant uuid := first_id_at(greatest('epoch', (filter ->> 'from')::timestamptz));
    high constant uuid := first_id_at(least(
        (filter ->> 'to')::timestamptz, created_before + interval '1 microsecond', pgqueue.clock() + interval '1 day'
    ));
    after constant uuid := coalesce((place ->> 'task_id')::uuid, '00000000-0000-0000-0000-000000000000');
    highest text;
    candidates uuid[];
    keys jsonb[];
    fits boolean[];
    reached int;
begin
    case stage
        when 'ids' then
            select array_agg(k.id order by k.id), array_agg(jsonb_build_object('stage', stage, 'task_id', k.id) order by k.id), array_agg(
                coalesce(t.status in ('queued', 'scheduled', 'retrying', 'blocked', 'active'), false)
                and (wanted_queue is null or t.queue = wanted_queue) and (wanted_status is null or t.status = wanted_status)
                and not coalesce(r.cancel_requested, false)
                order by k.id
            )
            into candidates, keys, fits
            from (
                select i::uuid as id from jsonb_array_elements_text(filter -> 'ids') as i where i::uuid > after order by 1 limit max_looked
            ) as k
            left join lateral (select v.status, v.queue from tasks as v where v.id = k.id limit 1) as t on true
            left join lateral (select w.cancel_requested from running as w where w.task_id = k.id limit 1) as r on true;
        when 'ready' then
            if wanted_status is null or wanted_status = 'queued' then
                highest := coalesce(wanted_queue, (select r.queue from ready as r order by r.queue desc limit 1));
                select
                    array_agg(k.task_id), array_agg(jsonb_build_object(
                        'stage', stage, 'queue', k.queue, 'priority', k.priority, 'seq', k.seq
                    )), array_agg(true)
                into candidates, keys, fits
                from (
                    select r.queue, r.priority, r.seq, r.task_id
                    from ready as r
                    where (r.queue, r.priority, r.seq) > (
                            coalesce(place ->> 'queue', wanted_queue, ''),
                            coalesce((place ->> 'priority')::smallint, -1::smallint), coalesce((place ->> 'seq')::bigint, 0)
                        )
                        and r.queue <= highest
                    order by r.queue, r.priority, r.seq
                    limit max_looked
                ) as k;
            end if;
        when 'delayed' then
            if wanted_status is distinct from 'active' then
                select
                    array_agg(k.task_id), array_agg(jsonb_build_object('stage', stage, 'task_id', k.task_id)),
                    array_agg((wanted_queue is null or k.queue = wanted_queue) and (wanted_status is null or k.status = wanted_status))
                into candidates, keys, fits
                from (select d.* from delayed as d where d.task_id > after order by d.task_id limit max_looked) as k;
            end if;
        when 'running' then
            if wanted_status is null or wanted_status = 'active' then
                select
                    array_agg(k.task_id), array_agg(jsonb_build_object('stage', stage, 'task_id', k.task_id)),
                    array_agg((wanted_queue is null or k.queue = wanted_queue) and not k.cancel_requested)
                into candidates, keys, fits
                from (select r.* from running as r where r.task_id > after order by r.task_id limit max_looked) as k;
            end if;
    end case;

    looked := coalesce(cardinality(candidates), 0);
    with tested as materialized (
        select
            k.n, k.id,
            (
                k.fits and k.id >= low and k.id < high
                and (wanted_type is null or (select f.type from task as f where f.id = k.id limit 1) = wanted_type)
            ) as hit
        from unnest(candidates, fits) with ordinality as k (id, fits, n)
    ),
    counted as (
        select *, sum(hit::int) over (order by n rows unbounded preceding) - hit::int as before from tested
    )
    select coalesce(array_agg(id order by n) filter (where hit), '{}'), coalesce(max(n), 0)
    into ids, reached
    from counted
    where before < max_ids;

    ended := false;
    next := keys[reached];
    if reached = looked and looked < max_looked then
        ended := stage in ('ids', 'running');
        next := jsonb_build_object('stage', case stage when 'ready' then 'delayed' else 'running' end);
    end if;
end
$$;
