-- How many slots these queues want (null: all queues but that of webhooks), and why: the number to scale workers by.
-- A slot runs one task at a time; a worker process has as many slots as its concurrency.
-- wanted: the slots in use, and one for each task that waits and may start by the limits of its queue. While no task
-- has waited for patience_s, no more than the slots that exist, because they will take what has just arrived.
-- backlog: what is runnable or due, counted up to 10,000 in each queue (then backlog_exact is false). startable:
-- those of them that limits and pauses let start now. wait_s: how long the first of these has waited. It costs the
-- same at any backlog.
-- types: count only tasks of these types and the workers that have one of them (null: all). Tasks of other types before
-- these are read, too.
create or replace function pgqueue.scale(
    queues text[] default null, patience_s float8 default 1, types text[] default null,
    out wanted bigint, out active bigint, out backlog bigint, out backlog_exact boolean, out startable bigint, out wait_s float8,
    out workers bigint, out slots bigint
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    max_counted constant int := 10000;
    now constant timestamptz := pgqueue.clock();
    due text[];                                     -- the queue of each task that is due and not yet runnable
    name text;
    waiting bigint;
    free bigint;
    oldest timestamptz;
begin
    select coalesce(sum(w.concurrency), 0), count(*), coalesce(sum(least(w.concurrency, coalesce(held.n, 0))), 0)
    into slots, workers, active
    from worker as w
    left join (
        select r.worker_id, count(*) as n
        from running as r
        where (scale.queues is null or r.queue = any (scale.queues)) and (scale.types is null or r.type = any (scale.types))
        group by r.worker_id
    ) as held on held.worker_id = w.id
    where w.state = 'active' and w.expires_at > now and (
            scale.queues is null and w.queues <> '{pgqueue.webhooks}' or w.queues = '{}' or w.queues && scale.queues
        ) and (scale.types is null or w.types && scale.types);

    due := array(
        select d.queue from delayed as d
        where d.run_at <= now and (types is null or d.type = any (types))
        order by d.run_at
        limit max_counted
    );
    backlog := 0;
    backlog_exact := true;
    startable := 0;
    for name in
        select distinct u.queue from unnest(coalesce(scale.queues, array(select * from runnable_queues()) || due)) as u (queue)
        where scale.queues is not null or u.queue <> 'pgqueue.webhooks'
    loop
        select count(*) into waiting
        from (
            select from ready as r where r.queue = name and (types is null or r.type = any (types)) limit max_counted
        ) as counted;
        waiting := waiting + (select count(*) from unnest(due) as d (queue) where d.queue = name);
        backlog := backlog + least(waiting, max_counted);
        backlog_exact := backlog_exact and waiting < max_counted;
        if waiting > 0 then
            select least(waiting, greatest(0, room.n)) into free from queue_room(name) as room;
            if free > 0 then
                startable := startable + free;
                -- The first of each priority has waited longest, unless it was put back or has aged.
                select least(oldest, min(first.ready_at)) into oldest
                from generate_series(0, 10) as p (priority)
                cross join lateral (
                    select r.ready_at from ready as r
                    where r.queue = name and r.priority = p.priority and (types is null or r.type = any (types))
                    order by r.seq
                    limit 1
                ) as first;
                if name = any (due) then
                    select least(oldest, min(d.run_at)) into oldest
                    from (select d.queue, d.type, d.run_at from delayed as d where d.run_at <= now order by d.run_at limit max_counted) as d
                    where d.queue = name and (types is null or d.type = any (types));
                end if;
            end if;
        end if;
    end loop;
    wait_s := coalesce(greatest(0, extract(epoch from now - oldest)), 0);

    wanted := active + startable;
    if wait_s < patience_s and slots > 0 then
        wanted := greatest(active, least(wanted, slots));
    end if;
end
$$;

comment on function pgqueue.scale is
    'Returns how many slots these queues want (null: all queues but that of webhooks), and the figures '
    'behind it; times are in seconds.';
