-- Finds a page of tasks, newest first, and never scans without bound: it searches for at most budget_ms and says how
-- far back it got. Finds live tasks by their tokens and ended ones in the minutes that the roll-up names; where there
-- are too many tokens for that, or the filter names no status, type or queue, it reads the facts backwards.
-- filter: as matching_tasks() takes it; before: only ids below it; next_before: where to continue, null when everything is
-- searched; searched_until: every match that was created since then, and below `before`, has been returned.
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
    outcomes constant text[] := case
        when status is null then array['completed', 'cancelled', 'failed', 'timed_out', 'crashed']
        when status = 'failed' then array['failed', 'timed_out', 'crashed']
        when status in ('completed', 'cancelled') then array[status]
        else '{}'
    end;
    live uuid[] := '{}';
    hits uuid[] := '{}';
    reached uuid := low;                        -- what is at or above it has been searched
    minute timestamptz;
    oldest timestamptz;
    minute_low uuid;
    part record;
begin
    if narrow and (status is null or outcomes = '{}') then
        live := live_tasks(filter, low, high, max_rows + 1);
    end if;

    if live is null or not narrow then
        select * into part from search_facts(filter, low, high, max_rows + 1, deadline);
        hits := part.hits;
        reached := part.reached;
    elsif outcomes <> '{}' then
        select least((select min(created_minute) from rollup), (select min(created_minute) from rollup_flush)) into oldest;
        if oldest is not null then
            oldest := greatest(oldest, date_bin('1 minute', id_time(low), 'epoch'));
        end if;
        minute := date_bin('1 minute', id_time(high), 'epoch') + interval '1 minute';
        reached := high;
        loop
            if oldest is null or minute <= oldest then
                reached := low;
                exit;
            end if;
            exit when clock_timestamp() > deadline;
            minute := ended_minute_before(minute, outcomes, type, queue, oldest);
            minute_low := least(high, greatest(low, first_id_at(minute)));
            select * into part from search_facts(
                filter, minute_low, least(high, first_id_at(minute + interval '1 minute')),
                max_rows + 1 - cardinality(hits), deadline
            );
            hits := hits || part.hits;
            reached := part.reached;
            exit when reached > minute_low or cardinality(hits) > max_rows;
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
