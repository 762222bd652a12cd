-- Prunes what is past its retention from one day, and returns what it did:
--   nothing   nothing is past its retention yet
--   dropped   nothing had to stay, the day is gone
--   replaced  the day is gone except for what had to stay, which was little beside what went: see replace_day()
--   thinned   what went was little, and was deleted: see thin_day()
--   going on  not done yet; call again
--   busy      another caller prunes, or retries a task of the day
-- kept is what is left, next_at when something more may go. A day is due an hour after its tasks have been kept for
-- the shortest retention of any queue. Call forget_day() afterwards, in a separate transaction. Raises PQ003 when the
-- day is in use: see replace_day().
create or replace function pgqueue_private.prune_day(
    day date, max_tasks int default 2000, out did text, out kept bigint, out next_at timestamptz
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    slack constant interval := '1 hour';
    small_day constant bigint := 10000;
    max_copied constant bigint := 1000000;
    starts constant timestamptz := day::timestamp at time zone 'utc';
    ends constant timestamptz := (day + 1)::timestamp at time zone 'utc';
    usual constant boolean := ends + slack + interval '7 days' <= now;
    others text[];                                  -- queues to which the opposite of the default applies
    past boolean;
    later timestamptz;
    going bigint;
    total bigint;
    known day;
    place uuid;
    deleted bigint := 0;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:prune', 0)) then
        did := 'busy';
        return;
    end if;
    -- Keeps retry() out: a task that has ended stays ended until this commits. Never waits, as others would wait
    -- behind it.
    if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:day:' || day, 0)) then
        did := 'busy';
        return;
    end if;

    with term as (
        select null as queue, true as whole, ends + slack + interval '7 days' as at
        union all
        select q.name, r.key = 'tasks_s', ends + slack + r.value::float8 * interval '1 second'
        from queue as q
        cross join lateral jsonb_each_text(q.retention) as r
        where r.key in ('tasks_s', 'events_s', 'artifacts_s') and r.value is not null
    )
    select
        array_remove(array_agg(queue) filter (where whole and (at <= now) <> usual), null),
        bool_or(at <= now),
        min(at) filter (where at > now)
    into others, past, later
    from term;
    others := coalesce(others, '{}');

    select * into known from day as d where d.day = prune_day.day;
    if not past then
        did := 'nothing';
    else
        select coalesce(sum(r.n) filter (where (r.queue = any (others)) <> usual), 0), coalesce(sum(r.n), 0) into going, total
        from (
            select queue, n from rollup where final and created_minute >= starts and created_minute < ends
            union all
            select queue, n from rollup_flush where final and created_minute >= starts and created_minute < ends
        ) as r;
        if not exists (select from task as t where t.id >= first_id_at(starts) and t.id < first_id_at(ends)) then
            did := 'dropped';
            kept := replace_day(day, usual, others);
        elsif
            coalesce(known.kept, small_day + 1) > small_day and known.cursor is null
            and going > 0 and going * 2 >= total and total - going <= max_copied
        then
            did := 'replaced';
            kept := replace_day(day, usual, others);
        else
            select t.cursor, t.deleted into place, deleted from thin_day(day, max_tasks, known.cursor) as t;
            did := case when place is null then 'thinned' else 'going on' end;
            if place is null then
                select count(*) into kept from task as t where t.id >= first_id_at(starts) and t.id < first_id_at(ends);
            else
                next_at := now;
            end if;
        end if;
        if kept = 0 and did <> 'thinned' then
            did := 'dropped';
        end if;
    end if;

    if did <> 'going on' then
        -- What stays although its retention has passed has not ended, or ended late. Check it again, less and less
        -- often.
        next_at := least(later, case
            when kept = 0 and did = 'thinned' then now
            when not past then later
            when kept <= small_day then now + interval '1 day'
            else now + greatest(interval '1 day', (now - ends) / 4)
        end);
    end if;
    insert into day as d (day, pruned_at, kept, dropped_at, next_at, cursor)
    values (
        prune_day.day, case when did in ('dropped', 'replaced') or deleted > 0 then now end, kept,
        case when did = 'dropped' then now end, next_at, place
    )
    on conflict on constraint day_pkey do update set
        pruned_at = coalesce(excluded.pruned_at, d.pruned_at), kept = coalesce(excluded.kept, d.kept),
        dropped_at = coalesce(excluded.dropped_at, d.dropped_at), next_at = excluded.next_at, cursor = excluded.cursor;
end
$$;
