-- The latest minute from oldest on and before the given one in which a matching task was created that has ended since;
-- null if there is none. The roll-up is the zone map of history: a look into one of its indexes for each outcome,
-- however many minutes there are between. Does not see what is not folded yet: see list_tasks().
create or replace function pgqueue_private.ended_minute_before(
    below timestamptz, oldest timestamptz, outcomes text[], of_type text, of_queue text
) returns timestamptz
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- A comparison that matches null cannot use an index.
    if of_type is not null then
        return (
            select max(k.created_minute)
            from unnest(outcomes) as o (outcome)
            cross join lateral (
                select r.created_minute from rollup as r
                where r.type = of_type and r.outcome = o.outcome and r.final
                    and r.created_minute >= oldest and r.created_minute < below
                    and (of_queue is null or r.queue = of_queue)
                order by r.created_minute desc
                limit 1
            ) as k
        );
    elsif of_queue is not null then
        return (
            select max(k.created_minute)
            from unnest(outcomes) as o (outcome)
            cross join lateral (
                select r.created_minute from rollup as r
                where r.queue = of_queue and r.outcome = o.outcome and r.final
                    and r.created_minute >= oldest and r.created_minute < below
                order by r.created_minute desc
                limit 1
            ) as k
        );
    else
        return (
            select max(k.created_minute)
            from unnest(outcomes) as o (outcome)
            cross join lateral (
                select r.created_minute from rollup as r
                where r.outcome = o.outcome and r.final and r.created_minute >= oldest and r.created_minute < below
                order by r.created_minute desc
                limit 1
            ) as k
        );
    end if;
end
$$;
