-- Makes a schedule, given by its name or id, enqueue a task for each of its due times from from_at to before to_at
-- that has none. Schedulers do it in parts, oldest first, whatever the schedule says about overlaps and whether it is
-- paused or not.
-- Raises PQ002 when there is no such schedule, PQ003 while another range is being filled, PQ004 for a range that is
-- not valid.
create or replace function pgqueue.backfill_schedule(name text, from_at timestamptz, to_at timestamptz) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
    known schedule;
    wrong text;
begin
    select * into known from schedule as s where s.id = find_schedule(backfill_schedule.name) for update;
    if not found then
        raise exception 'there is no schedule %', to_json(name)
            using errcode = 'PQ002', hint = 'the view pgqueue.schedules lists them';
    end if;
    wrong := case
        when known.cron is null then 'it has run_at, and no cron'
        when from_at is null or to_at is null or from_at < 'epoch' or from_at >= to_at then 'the range begins before it ends, after 1970'
        when to_at > now then 'the range ends in the past'
        when to_at - from_at > interval '366 days' then 'a range is at most 366 days long'
    end;
    if wrong is not null then
        raise exception 'schedule % cannot be backfilled from % to %', to_json(known.name), from_at, to_at
            using errcode = 'PQ004', hint = wrong;
    end if;
    if known.backfill_to is not null then
        raise exception 'schedule % is already being backfilled', to_json(known.name)
            using errcode = 'PQ003', hint = 'it has reached ' || known.backfill_from || ' and goes on to ' || known.backfill_to || ': wait until then';
    end if;
    update schedule as s set backfill_from = from_at, backfill_to = to_at, look_at = now where s.id = known.id;
end
$$;

comment on function pgqueue.backfill_schedule is
    'Enqueues a task for each due time of a schedule, by its name or id, from from_at to before to_at that has none.';
