-- Each dedup key names the newest task that was stored with it.
create or replace function pgqueue_private.check_dedup()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    select
        'dedup', d.scope || ' ' || d.scope_name || ': ' || d.key,
        case
            when d.task_id is null then 'names no task'
            when t.id is null then 'names task ' || d.task_id || ', which never existed'
            else 'names task ' || d.task_id || ', which has another key, or is of another type, queue or time'
        end
    from pgqueue_private.dedup as d
    left join pgqueue_private.task as t on t.id = d.task_id
    where d.task_id is null
        or (t.id is null and not pgqueue.is_pruned(d.task_id))
        or (t.user_id, t.dedup_key, case d.scope when 'type' then t.type else t.queue end, t.created_at)
        <> (d.user_id, d.key, d.scope_name, d.created_at)
$$;
