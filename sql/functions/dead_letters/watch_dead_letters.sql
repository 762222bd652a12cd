-- Counts the dead letters of each queue, one caller at a time. When more than the queue's growth_limit failed within
-- the last hour, it reports that once: a notice, a notification, the webhooks that subscribe to dead_letters.growing
-- and, where an alert_type is set, a task of that type with the notice as its payload, all in this transaction. The
-- alert is over, and can be raised again, when half the limit or less is left. Returns the notices made.
create or replace function pgqueue_private.watch_dead_letters()
returns table (kind text, queue text, message text, data jsonb)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    level record;
    notice_id bigint;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:watch_dead_letters', 0)) then
        return;
    end if;

    for level in
        with counted as (
            select
                q.*, c.n, c.last_hour, coalesce(l.growing, false) as was,
                case
                    when c.last_hour > q.growth_limit then true
                    when c.last_hour <= q.growth_limit / 2 then false
                    else coalesce(l.growing, false)
                end as growing
            from dead_letter_queues() as q
            cross join lateral (
                select count(*) as n, count(*) filter (where d.failed_at > now - interval '1 hour') as last_hour
                from dead_letter as d
                where d.queue = q.queue
            ) as c
            left join dead_letter_level as l on l.queue = q.queue
        ),
        kept as (
            insert into dead_letter_level as k (queue, n, last_hour, growing, since, sampled_at)
            select queue, n, last_hour, growing, case when growing then now end, now from counted
            on conflict (queue) do update set
                n = excluded.n, last_hour = excluded.last_hour, growing = excluded.growing,
                since = case when k.growing and excluded.growing then k.since else excluded.since end,
                sampled_at = excluded.sampled_at
        )
        select * from counted where growing <> was order by queue
    loop
        kind := case when level.growing then 'dead_letters_growing' else 'dead_letters_settled' end;
        queue := level.queue;
        message := format(
            case when level.growing
                then '%s tasks of queue %s failed for good within the last hour, more than %s'
                else '%s tasks of queue %s failed for good within the last hour, half of %s or less'
            end,
            level.last_hour, level.queue, level.growth_limit
        );
        data := jsonb_build_object(
            'kind', kind, 'at', json_time(now), 'queue', queue, 'message', message, 'last_hour', level.last_hour,
            'growth_limit', level.growth_limit, 'dead_letters', level.n
        );
        insert into notice (at, kind, queue, message, data) values (now, kind, queue, message, data) returning id into notice_id;
        perform pg_notify('pgqueue_notice', notice_id::text);
        if level.growing and level.alert_type is not null then
            perform ring(e.queues)
            from enqueue_many(jsonb_build_array(jsonb_build_object('type', level.alert_type, 'payload', data))) as e;
        end if;
        -- Webhooks do not report on the queue that sends webhooks.
        if queue <> 'pgqueue.webhooks' then
            perform tell(replace(kind, 'dead_letters_', 'dead_letters.'), now, data::json, queue);
        end if;
        return next;
    end loop;
end
$$;
