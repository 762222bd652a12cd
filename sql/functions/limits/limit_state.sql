-- The state of a limit: a row for its concurrency and one for each of its rates. Of a queue (limit_key ''), of a key
-- in a queue, or of a limit by its name (queue ''): see limit_use.
-- next_free_at: the earliest time at which a task of this cost may start when `others` come before it; null: now, as
-- far as this limit goes. For a concurrency it is the latest time at which a slot becomes free, by the time limits of
-- the running tasks; null: unknown.
create or replace function pgqueue_private.limit_state(
    queue text, limit_key text, concurrency int, rate jsonb, others bigint default 0, cost int default 1
)
returns table (kind text, allowed int, per_seconds float8, smooth boolean, used bigint, next_free_at timestamptz)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
    last limit_use;
    before bigint;                                  -- total cost that has left the window
    beyond bigint;                                  -- units of cost that must leave it first
begin
    if concurrency is not null then
        kind := 'concurrency';
        allowed := concurrency;
        select coalesce(sum(h.cost), 0), min(h.ends_by) into used, next_free_at from limit_holders(queue, limit_key) as h;
        if used = 0 or used + least(cost, concurrency) <= concurrency then
            next_free_at := null;
        end if;
        return next;
    end if;
    if rate is null then
        return;
    end if;

    kind := 'rate';
    select * into last from limit_use as u
    where u.queue = limit_state.queue and u.limit_key = limit_state.limit_key
    order by u.total desc
    limit 1;
    for allowed, per_seconds, smooth in
        select r.count, r.per_seconds, coalesce(r.smooth, false)
        from jsonb_to_recordset(rate) as r (count int, per_seconds float8, smooth boolean)
    loop
        select u.total - u.n into before from limit_use as u
        where u.queue = limit_state.queue and u.limit_key = limit_state.limit_key and u.at > now - per_seconds * interval '1 second'
        order by u.at
        limit 1;
        before := coalesce(before, last.total, 0);
        used := coalesce(last.total, 0) - before;
        next_free_at := null;
        beyond := others + least(cost, allowed) - (allowed - used);
        if beyond > 0 then
            -- Each start makes room for another start one span later.
            select u.at into next_free_at from limit_use as u
            where u.queue = limit_state.queue and u.limit_key = limit_state.limit_key
                and u.total >= before + (beyond - 1) % allowed + 1
            order by u.total
            limit 1;
            next_free_at := coalesce(next_free_at, now) + per_seconds * ((beyond - 1) / allowed + 1) * interval '1 second';
        end if;
        if smooth then
            next_free_at := nullif(greatest(
                next_free_at, now,
                smooth_base(last.due_at, per_seconds / allowed * interval '1 second', now) + others * per_seconds / allowed * interval '1 second'
            ), now);
        end if;
        return next;
    end loop;
end
$$;
