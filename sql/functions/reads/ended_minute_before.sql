-- The latest minute before the given one in which a matching task was created that has ended since: the roll-up is
-- the zone map of history. Looks back a day at most, or to the oldest minute, and returns that if there is none.
create or replace function pgqueue_private.ended_minute_before(
    minute timestamptz, outcomes text[], type text, queue text, oldest timestamptz
) returns timestamptz
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    select greatest(
        (
            select max(r.created_minute) from rollup as r
            where r.created_minute < minute and r.created_minute >= minute - interval '1 day'
                and r.outcome = any (outcomes) and r.final
                and (ended_minute_before.type is null or r.type = ended_minute_before.type)
                and (ended_minute_before.queue is null or r.queue = ended_minute_before.queue)
        ),
        (
            select max(f.created_minute) from rollup_flush as f
            where f.created_minute < minute and f.created_minute >= minute - interval '1 day'
                and f.outcome = any (outcomes) and f.final
                and (ended_minute_before.type is null or f.type = ended_minute_before.type)
                and (ended_minute_before.queue is null or f.queue = ended_minute_before.queue)
        ),
        minute - interval '1 day',
        oldest
    )
$$;
