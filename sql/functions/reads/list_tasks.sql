-- Finds a page of tasks, newest first, and never scans without bound: it searches for at most budget_ms and says how
-- far back it got. Finds live tasks by their tokens and ended ones in the minutes that the roll-up names; where there
-- are too many tokens for that, or the filter names no status, type or queue, it reads the facts backwards.
-- filter: any or none of type, queue, status and tags (the task has all of these); before: only ids below it;
-- next_before: where to continue, always below before, null when everything is searched; searched_until: every match
-- that was created later, and below before, has been returned.
create or replace function pgqueue_private.list_tasks(
    filter jsonb, from_at timestamptz, to_at timestamptz, before uuid, max_rows int,
    budget_ms int default 500, max_bytes int default 4194304,
    out items text[], out next_before uuid, out searched_until text
)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    status constant text := filter ->> 'status';
    type constant text := filter ->> 'type';
    queue constant text := filter ->> 'queue';
    narrow constant boolean := filter ?| '{status, type, queue}';
    deadline constant timestamptz := clock_timestamp() + budget_ms * interval '1 millisecond';
    low constant uuid := first_id_at(greatest(from_at, 'epoch'));
    high constant uuid := least(before, first_id_at(greatest('epoch', least(to_at, clock() + interval '1 day'))));
    ended_as constant text[] := case            -- the outcomes of tasks in this status, if it is one that has ended
        when status = 'failed' then array['failed', 'timed_out', 'crashed']
        when status in ('completed', 'cancelled') then array[status]
        else '{}'
    end;
    outcomes constant text[] := case
        when status is null then array['completed', 'cancelled', 'failed', 'timed_out', 'crashed'] else ended_as
    end;
    oldest constant timestamptz := date_bin('1 minute', id_time(low), 'epoch');
    minute timestamptz := date_bin('1 minute', id_time(high), 'epoch') + interval '1 minute';
    fresh timestamptz[];                        -- minutes that are not in the roll-up yet
    minute_low uuid;
    live uuid[] := '{}';
    hits uuid[] := '{}';
    reached uuid := low;                        -- what is at or above it has been searched
    part record;
begin
    if narrow and ended_as = '{}' then
        live := live_tasks(filter, low, high, max_rows + 1);
    end if;

    if live is null or not narrow then
        select * into part from search_facts(filter, ended_as, low, high, max_rows + 1, deadline);
        hits := part.hits;
        reached := part.reached;
    elsif outcomes <> '{}' then
        fresh := array(
            select distinct f.created_minute from rollup_flush as f
            where f.final and f.outcome = any (outcomes) and f.created_minute >= oldest and f.created_minute < minute
                and (type is null or f.type = type) and (queue is null or f.queue = queue)
        );
        reached := high;
        loop
            minute := greatest(
                ended_minute_before(minute, oldest, outcomes, type, queue),
                (select max(m) from unnest(fresh) as m where m < minute)
            );
            if minute is null then
                reached := low;
                exit;
            end if;
            minute_low := least(high, greatest(low, first_id_at(minute)));
            select * into part from search_facts(
                filter, ended_as, minute_low, least(high, first_id_at(minute + interval '1 minute')),
                max_rows + 1 - cardinality(hits), deadline
            );
            hits := hits || part.hits;
            reached := part.reached;
            exit when reached > minute_low or cardinality(hits) > max_rows;
            exit when clock_timestamp() > deadline and reached < high;
        end loop;
    end if;

    hits := array(
        select distinct id from unnest(hits || live) as id where id >= reached order by id desc limit max_rows + 1
    );
    if cardinality(hits) > max_rows then
        reached := hits[max_rows];
        hits := hits[1:max_rows];
    end if;

    with state as (
        select s.id, s.state, sum(octet_length(s.state)) over (order by s.id desc) as bytes from task_states(hits) as s
    )
    select
        coalesce(array_agg(state order by id desc), '{}'),
        case when count(*) < cardinality(hits) then min(id::text)::uuid end
    into items, next_before
    from state
    where bytes <= max_bytes or bytes = octet_length(state);

    next_before := coalesce(next_before, case when reached > low then reached end);
    searched_until := json_time(coalesce(id_time(next_before), from_at));
end
$$;
