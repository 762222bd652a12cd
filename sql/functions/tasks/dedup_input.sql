-- What enqueue_unique reads of each given task: its position, its key with the key's scope, and what to do with the
-- other task. remember_s: how long the key is kept after its task ends, lasting: as long as the task.
create or replace function pgqueue_private.dedup_input(tasks jsonb, now timestamptz)
returns table (
    n bigint, type text, payload jsonb, run_at timestamptz, key text, scope text, scope_name text, statuses text[],
    window_s float8, on_conflict text, remember_s float8, lasting boolean, options boolean
)
language sql stable
as $$
    select
        i.n, i.type, coalesce(i.payload, pgqueue_private.no_payload(tasks, i.n)), coalesce(i.run_at, now + i.delay_s * interval '1 second'), i.dedup_key,
        coalesce(i.dedup_scope, 'type'),
        case i.dedup_scope when 'queue' then coalesce(i.queue, t.queue, 'default') else i.type end,
        s.statuses, i.dedup_window_s, coalesce(i.on_conflict, 'return'),
        coalesce(i.dedup_window_s, 600),
        i.dedup_window_s is null and s.statuses && array['completed', 'failed', 'cancelled'],
        coalesce(i.dedup_scope, i.on_conflict) is not null or i.dedup_statuses is not null or i.dedup_window_s is not null
    from rows from (
        jsonb_to_recordset(tasks) as (
            type text, payload jsonb, queue text, run_at timestamptz, delay_s float8, dedup_key text, dedup_scope text,
            dedup_statuses text[], dedup_window_s float8, on_conflict text
        )
    ) with ordinality as i (
        type, payload, queue, run_at, delay_s, dedup_key, dedup_scope, dedup_statuses, dedup_window_s, on_conflict, n
    )
    cross join lateral (
        select coalesce(
            i.dedup_statuses,
            array['scheduled', 'queued', 'blocked', 'active', 'retrying']
            || case when i.dedup_window_s is not null then array['completed'] end
        ) as statuses
    ) as s
    left join pgqueue_private.task_type as t on t.name = i.type
$$;
