-- Deletes rows that name the tasks of a day by their time and are useless without them: the minutes of the zone map
-- of history whose tasks are gone. Call it after prune_day(), in a separate transaction, which holds no lock that
-- anyone waits for.
-- Add here whatever else is kept by day beside the facts; what names tasks one by one belongs in prune().
create or replace function pgqueue_private.forget_day(day date) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    starts constant timestamptz := day::timestamp at time zone 'utc';
    ends constant timestamptz := (day + 1)::timestamp at time zone 'utc';
    low constant uuid := first_id_at(starts);
    high constant uuid := first_id_at(ends);
    forgotten bigint;
begin
    with kept as materialized (
        select distinct date_bin('1 minute', t.created_at, 'epoch') as minute, t.queue, t.type
        from task as t
        where t.id >= low and t.id < high
    )
    delete from rollup as r
    where r.created_minute >= starts and r.created_minute < ends
        and r.minute < now - interval '3 hours'  -- the figures of the last hours are summed from these rows
        and not exists (
            select from kept as k where (k.minute, k.queue, k.type) = (r.created_minute, r.queue, r.type)
        );
    get diagnostics forgotten = row_count;
    return forgotten;
end
$$;
