-- The ids of tasks that have not ended, newest first, by their tokens; null when there are more tokens than are
-- cheap to read and sort.
create or replace function pgqueue_private.live_tasks(
    status text, type text, queue text, low uuid, high uuid, max_ids int, max_tokens int default 5000
) returns uuid[]
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    hits uuid[] := '{}';
begin
    if status is null or status = 'queued' then
        hits := array(
            select r.task_id from ready as r where queue is null or r.queue = live_tasks.queue limit max_tokens + 1
        );
    end if;
    if status is null or status in ('queued', 'scheduled', 'retrying', 'blocked') then
        hits := hits || array(
            select d.task_id from delayed as d
            where (queue is null or d.queue = live_tasks.queue) and (status is null or d.status = live_tasks.status)
            limit max_tokens + 1
        );
    end if;
    if status is null or status = 'active' then
        hits := hits || array(
            select r.task_id from running as r where queue is null or r.queue = live_tasks.queue limit max_tokens + 1
        );
    end if;
    if cardinality(hits) > max_tokens then
        return null;
    end if;
    return array(
        select t.id
        from unnest(hits) as live (id)
        cross join lateral (select f.id, f.type from task as f where f.id = live.id limit 1) as t
        where t.id >= low and t.id < high and (type is null or t.type = live_tasks.type)
        order by t.id desc
        limit max_ids
    );
end
$$;
