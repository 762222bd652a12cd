-- Why no worker would take a task of this type from this queue: there is none, none that handles the type, or
-- (busy_too) all their slots are in use. No row: one would. Part of explain().
create or replace function pgqueue_private.explain_workers(queue text, type text, busy_too boolean)
returns table (code text, message text, details jsonb)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    live record;
    held bigint;
begin
    select
        count(*) as n, count(*) filter (where explain_workers.type = any (w.types)) as able, coalesce(sum(w.concurrency) filter (where explain_workers.type = any (w.types)), 0) as slots,
        array_agg(w.id) filter (where explain_workers.type = any (w.types)) as ids
    into live
    from worker as w
    where w.state = 'active' and w.expires_at > now and (w.queues = '{}' or explain_workers.queue = any (w.queues));

    if live.n = 0 then
        return query
        select
            'no_worker', format('No live worker serves queue %s%s.', queue, '; the last heartbeat was at ' || say_time(last.at)),
            jsonb_build_object('last_heartbeat_at', json_time(last.at))
        from (
            select max(w.heartbeat_at) as at from worker as w where w.queues = '{}' or explain_workers.queue = any (w.queues)
        ) as last;
    elsif live.able = 0 then
        return query
        select
            'no_handler', format('None of the %s live workers of queue %s handles type %s.', live.n, queue, type),
            jsonb_build_object('workers', live.n);
    elsif busy_too then
        select count(*) into held from running as r where r.worker_id = any (live.ids);
        if held >= live.slots then
            return query
            select
                'workers_busy', format('All %s slots of the %s live workers of queue %s that handle type %s are taken.', live.slots, live.able, queue, type),
                jsonb_build_object('workers', live.able, 'slots', live.slots, 'running', held);
        end if;
    end if;
end
$$;
