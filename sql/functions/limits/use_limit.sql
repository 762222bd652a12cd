-- Records that tasks of this cost have started under a limit. The caller holds the limit's lock: see limit_use.
-- Remembers the oldest sixty-four leases that hold slots, so that the next count looks them up by id.
create or replace function pgqueue_private.use_limit(queue text, limit_key text, concurrency int, rate jsonb, cost int) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    last limit_use;
    every interval;
    held bigint[];
begin
    if concurrency is null and rate is null then
        return;
    end if;
    select * into last from limit_use as u
    where u.queue = use_limit.queue and u.limit_key = use_limit.limit_key
    order by u.total desc
    limit 1;

    if concurrency is not null then
        held := array(
            select p.lease_id from limit_places(queue, limit_key, last.leases, last.newest) as p order by p.lease_id limit 64
        );
    end if;
    if rate is not null then
        select max(r.per_seconds / r.count) filter (where r.smooth) * interval '1 second' into every
        from jsonb_to_recordset(rate) as r (count int, per_seconds float8, smooth boolean);
        -- A start that is lost in a crash of the server would let another through.
        perform set_config('synchronous_commit', 'on', true);
    end if;
    insert into limit_use (queue, limit_key, total, n, at, due_at, leases, newest)
    values (
        use_limit.queue, use_limit.limit_key, coalesce(last.total, 0) + use_limit.cost, use_limit.cost,
        greatest(now, last.at), smooth_base(last.due_at, every, now) + use_limit.cost * every, held, held[cardinality(held)]
    );
    if rate is null then  -- without a rate, nobody reads when it started
        delete from limit_use as u
        where u.queue = use_limit.queue and u.limit_key = use_limit.limit_key and u.total = last.total;
    end if;
end
$$;
