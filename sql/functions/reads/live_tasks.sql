-- The ids of tasks that have not ended and that a filter matches, newest first, by their tokens; null when there are
-- more tokens than are cheap to read and sort. filter: as matching_tasks() takes it.
create or replace function pgqueue_private.live_tasks(
    filter jsonb, low uuid, high uuid, max_ids int, max_tokens int default 5000
) returns uuid[]
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    status constant text := filter ->> 'status';
    queue constant text := filter ->> 'queue';
    hits uuid[] := '{}';
begin
    if status is null or status = 'queued' then
        hits := array(
            select r.task_id from ready as r where queue is null or r.queue = queue limit max_tokens + 1
        );
    end if;
    if status is null or status in ('queued', 'scheduled', 'retrying', 'blocked') then
        hits := hits || array(
            select d.task_id from delayed as d
            where (queue is null or d.queue = queue) and (status is null or d.status = status)
            limit max_tokens + 1
        );
    end if;
    if status is null or status = 'active' then
        hits := hits || array(
            select r.task_id from running as r where queue is null or r.queue = queue limit max_tokens + 1
        );
    end if;
    if cardinality(hits) > max_tokens then
        return null;
    end if;
    -- A token has told their status: it is the one thing that takes time to ask.
    return matching_tasks(array(select id from unnest(hits) as id where id >= low and id < high), filter - 'status', max_ids);
end
$$;
