-- The ids of tasks that have not ended and that a filter matches, newest first, by their tokens, at most max_ids; null
-- when there are more tokens than are cheap to read and sort: looks at no more than max_tokens in each table, or five
-- times as many for a type, of which few may be left. Tokens know no tags, so for these it reads the facts of at most
-- max_facts. filter: see list_tasks().
create or replace function pgqueue_private.live_tasks(
    filter jsonb, low uuid, high uuid, max_ids int, max_tokens int default 20000, max_facts int default 2000
) returns uuid[]
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    status constant text := filter ->> 'status';
    type constant text := filter ->> 'type';
    queue constant text := filter ->> 'queue';
    tags constant text[] := array(select jsonb_array_elements_text(filter -> 'tags'));
    max_looked constant int := case when type is null then max_tokens else 5 * max_tokens end;
    looked int;
    fits uuid[];
    hits uuid[] := '{}';
begin
    if status is null or status = 'queued' then
        if queue is null then
            select count(*), array_agg(k.task_id) filter (where type is null or k.type = type)
            into looked, fits
            from (select r.task_id, r.type from ready as r limit max_looked + 1) as k;
        else
            select count(*), array_agg(k.task_id) filter (where type is null or k.type = type)
            into looked, fits
            from (select r.task_id, r.type from ready as r where r.queue = queue limit max_looked + 1) as k;
        end if;
        if looked > max_looked then
            return null;
        end if;
        hits := fits;
    end if;
    if status is null or status in ('queued', 'scheduled', 'retrying', 'blocked') then
        select
            count(*),
            array_agg(k.task_id) filter (
                where (queue is null or k.queue = queue) and (type is null or k.type = type) and (status is null or k.status = status)
            )
        into looked, fits
        from (select d.task_id, d.queue, d.type, d.status from delayed as d limit max_looked + 1) as k;
        if looked > max_looked then
            return null;
        end if;
        hits := hits || fits;
    end if;
    if status is null or status = 'active' then
        select count(*), array_agg(k.task_id) filter (where (queue is null or k.queue = queue) and (type is null or k.type = type))
        into looked, fits
        from (select r.task_id, r.queue, r.type from running as r limit max_looked + 1) as k;
        if looked > max_looked then
            return null;
        end if;
        hits := hits || fits;
    end if;
    if cardinality(hits) > max_tokens then
        return null;
    end if;
    -- A token has told the status: it is the one thing that takes time to ask.
    hits := array(select k.id from unnest(hits) as k (id) where k.id >= low and k.id < high order by k.id desc);
    if tags = '{}' then
        return hits[1:max_ids];
    end if;
    if cardinality(hits) > max_facts then
        return null;
    end if;
    return array(select f.id from task as f where f.id = any (hits) and f.tags @> tags order by f.id desc limit max_ids);
end
$$;
