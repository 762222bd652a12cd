-- Reads the facts from high down to low for matches, until it has found max_ids of them or the deadline passes, and
-- returns how far it got: every match at or above reached is among the hits, newest first. It gets further with each
-- call, however late it is. Reads a fact in about a microsecond. An index leads to the tasks that have ended otherwise
-- than completed.
-- filter: see list_tasks(). outcomes: of the last attempts of tasks in the status of the filter, if that has ended.
create or replace function pgqueue_private.search_facts(
    filter jsonb, outcomes text[], low uuid, high uuid, max_ids int, deadline timestamptz, out hits uuid[], out reached uuid
)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    status constant text := filter ->> 'status';
    type constant text := filter ->> 'type';
    queue constant text := filter ->> 'queue';
    tags constant text[] := array(select jsonb_array_elements_text(filter -> 'tags'));
    by_attempt constant boolean := cardinality(outcomes) > 0 and outcomes <> '{completed}';
    max_chunk constant int := 5000;
    chunk int := greatest(100, max_ids);            -- facts between two looks at the clock: doubled until it is some ms
    looked uuid[];
    fits uuid[];
begin
    hits := '{}';
    reached := high;
    loop
        if by_attempt then
            select coalesce(array_agg(k.id), '{}'), coalesce(array_agg(k.id) filter (where k.fits), '{}')
            into looked, fits
            from (
                select
                    a.task_id as id,
                    (type is null or f.type = type) and (queue is null or f.queue = queue) and (tags = '{}' or f.tags @> tags) as fits
                from (
                    select a.task_id from attempt as a
                    where a.final and a.outcome <> 'completed' and a.outcome = any (outcomes) and a.task_id >= low and a.task_id < reached
                    order by a.task_id desc
                    limit chunk
                ) as a
                join task as f on f.id = a.task_id
                order by a.task_id desc
            ) as k;
        else
            select coalesce(array_agg(k.id), '{}'), coalesce(array_agg(k.id) filter (where k.fits), '{}')
            into looked, fits
            from (
                select
                    f.id,
                    (type is null or f.type = type) and (queue is null or f.queue = queue) and (tags = '{}' or f.tags @> tags) as fits
                from task as f
                where f.id >= low and f.id < reached
                order by f.id desc
                limit chunk
            ) as k;
        end if;
        if status is not null and fits <> '{}' then
            if cardinality(outcomes) > 0 and not by_attempt then
                fits := array(
                    select a.task_id
                    from attempt as a
                    join unnest(fits) as k (id) on k.id = a.task_id
                    where a.task_id >= fits[cardinality(fits)] and a.task_id <= fits[1] and a.final and a.outcome = any (outcomes)
                );
            end if;
            fits := in_status(fits, status, max_ids - cardinality(hits));
        end if;
        hits := hits || fits[1:max_ids - cardinality(hits)];
        if cardinality(hits) >= max_ids then
            reached := hits[max_ids];
            return;
        end if;
        if cardinality(looked) < chunk then
            reached := low;
            return;
        end if;
        reached := looked[chunk];
        exit when clock_timestamp() > deadline;
        chunk := least(2 * chunk, max_chunk);
    end loop;
end
$$;
