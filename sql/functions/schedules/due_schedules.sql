-- Locks schedules that are due for a scheduler, the longest due first, at most max_schedules of them, and returns
-- what it needs to plan their due times. Any number of schedulers may call it at once: each gets different ones. The
-- locks last to the end of the transaction, in which the scheduler calls fire_schedules.
create or replace function pgqueue_private.due_schedules(max_schedules int)
returns table (
    id uuid, version bigint, now_at timestamptz, cron text, timezone text, starts_at timestamptz, ends_at timestamptz,
    jitter_s float8, missed_max int, enabled boolean, after_at timestamptz, next_due_at timestamptz,
    backfill_from timestamptz, backfill_to timestamptz
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
begin
    return query
    select
        s.id, s.version, now, s.cron, s.timezone, s.starts_at, s.ends_at, s.jitter_s::float8, s.missed_max::int, s.enabled,
        s.after_at, s.next_due_at, s.backfill_from, s.backfill_to
    from schedule as s
    where s.look_at <= now
    order by s.look_at
    limit max_schedules
    for update skip locked;
end
$$;
