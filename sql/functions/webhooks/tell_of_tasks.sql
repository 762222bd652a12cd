-- Reports tasks that these attempts (null: the last one of each) ended for good: with callbacks, to the callback_url
-- of each, otherwise to the webhooks that subscribe to the event. Call it in the transaction that ended them.
-- It skips an attempt that did not end its task, and tasks that send webhooks themselves. It leaves out a result of
-- more than 16 KiB of text (result_omitted), and the traceback.
create or replace function pgqueue_private.tell_of_tasks(
    task_ids uuid[], lease_ids bigint[] default null, callbacks boolean default false
) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    wanted constant text[] := case when not callbacks then array(
        select distinct unnest(w.events) from webhook as w where w.disabled_at is null
    ) end;
    per_user record;
begin
    for per_user in
        with ended as materialized (
            select t.*, a.final, a.outcome, a.result, a.error, a.attempt, a.started_at, a.finished_at, a.event
            from unnest(task_ids) as i (id)
            cross join lateral (
                select
                    l.*,
                    case when l.outcome in ('completed', 'cancelled') then 'task.' || l.outcome else 'task.failed' end as event
                from attempt as l
                where l.task_id = i.id and (lease_ids is null or l.lease_id = any (lease_ids))
                order by l.lease_id desc
                limit 1
            ) as a
            cross join lateral (select f.* from task as f where f.id = i.id limit 1) as t
            where a.final and (callbacks or a.event = any (wanted)) and t.queue <> 'pgqueue.webhooks'
        ),
        receiver as (
            select e.id, e.user_id, null::uuid as webhook_id, e.callback_url as url
            from ended as e
            where callbacks and e.callback_url is not null
            union all
            select e.id, e.user_id, w.id, w.url
            from ended as e
            join webhook as w
                on w.user_id = e.user_id and w.disabled_at is null and e.event = any (w.events)
                and (w.queues is null or e.queue = any (w.queues)) and (w.types is null or e.type = any (w.types))
            where not callbacks
        ),
        message as (
            select
                r.user_id,
                jsonb_build_object(
                    'webhook_id', r.webhook_id, 'url', r.url, 'event', e.event, 'subject_id', e.id,
                    'body', webhook_body(e.event, e.finished_at, json_build_object(
                        'id', e.id,
                        'type', e.type,
                        'queue', e.queue,
                        'status', split_part(e.event, '.', 2),
                        'result', case when small.fits then e.result end,
                        'result_omitted', not small.fits,
                        'error', case when e.outcome <> 'completed' then jsonb_build_object(
                            'type', e.error -> 'type', 'message', left(e.error ->> 'message', 2000)
                        ) end,
                        'outcome', e.outcome,
                        'attempt', e.attempt,
                        'batch_id', e.batch_id,
                        'created_at', json_time(e.created_at),
                        'started_at', json_time(e.started_at),
                        'finished_at', json_time(e.finished_at)
                    ))
                ) as message
            from receiver as r
            join ended as e on e.id = r.id
            cross join lateral (
                select e.result is null or octet_length(e.result::text) <= 16384 as fits
            ) as small
        )
        select user_id, jsonb_agg(message) as messages from message group by user_id
    loop
        perform send_webhooks(per_user.messages, per_user.user_id);
    end loop;
end
$$;
