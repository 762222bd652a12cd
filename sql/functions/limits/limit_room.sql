-- How much one limit allows to start now, in units of cost, and, if that is less than `want`, in how many seconds to
-- ask again (null: not a matter of time, but of a task that ends). first: the most that a single task may cost to
-- start now. A task that costs more than the whole limit starts when nothing else counts, and takes all of it.
-- Of a queue (limit_key ''), of a key in a queue, or of a limit by its name (queue ''): see limit_use.
-- Its cost does not grow under a held snapshot: it looks leases up by their ids and never scans over dead rows.
create or replace function pgqueue_private.limit_room(
    queue text, limit_key text, concurrency int, rate jsonb, slowed_until timestamptz, want int default 1,
    out n bigint, out first bigint, out again_s float8
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    any_cost constant bigint := 1000000000;
    now constant timestamptz := pgqueue.clock();
    last limit_use;
    each record;
    used bigint;
    due timestamptz;
    every interval;                                 -- between two starts of a smooth rate
begin
    n := any_cost;
    first := any_cost;
    if slowed_until > now then
        n := 0;
        first := 0;
        again_s := extract(epoch from slowed_until - now);
        return;
    end if;
    if concurrency is null and rate is null then
        return;
    end if;

    select * into last from limit_use as u
    where u.queue = limit_room.queue and u.limit_key = limit_room.limit_key
    order by u.total desc
    limit 1;

    if concurrency is not null then
        select coalesce(sum(p.cost), 0) into used from limit_places(queue, limit_key, last.leases, last.newest) as p;
        n := greatest(concurrency - used, 0);
        if used > 0 then
            first := n;
        end if;
        if n = 0 then
            return;
        end if;
    end if;

    for each in
        select r.count, r.per_seconds * interval '1 second' as span, coalesce(r.smooth, false) as smooth
        from jsonb_to_recordset(coalesce(rate, '[]')) as r (count int, per_seconds float8, smooth boolean)
    loop
        used := coalesce(last.total - (
            select u.total - u.n from limit_use as u
            where u.queue = limit_room.queue and u.limit_key = limit_room.limit_key and u.at > now - each.span
            order by u.at
            limit 1
        ), 0);
        n := greatest(least(n, each.count - used), 0);
        if used > 0 then
            first := least(first, greatest(each.count - used, 0));
        end if;
        if used > 0 and used + want > each.count then
            -- the moment at which enough starts have left the span
            select u.at + each.span into due from limit_use as u
            where u.queue = limit_room.queue and u.limit_key = limit_room.limit_key
                and u.total >= last.total - greatest(each.count - want, 0)
            order by u.total
            limit 1;
            again_s := greatest(again_s, extract(epoch from due - now), 0);
        end if;
        if each.smooth then
            every := greatest(every, each.span / each.count);
        end if;
    end loop;

    if every is not null then
        due := smooth_base(last.due_at, every, now);
        if due > now then
            n := 0;
            first := 0;
            again_s := greatest(again_s, extract(epoch from due - now));
        else
            n := least(n, floor(extract(epoch from now - due) / extract(epoch from every)) + 1);
        end if;
    end if;
end
$$;
