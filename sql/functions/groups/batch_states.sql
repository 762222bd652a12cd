-- Batches as the JSON text that the HTTP API returns, latest first: one by its id, or a page of those before an id.
create or replace function pgqueue_private.batch_states(id uuid, status text, parent_id uuid, before uuid, max_rows int)
returns table (batch_id uuid, batch_status text, item text)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        b.id, b.status,
        json_build_object(
            'id', b.id,
            'name', b.name,
            'status', b.status,
            'metadata', b.metadata,
            'callback_url', b.callback_url,
            'parent_id', b.parent_id,
            'total', b.total,
            'waiting', b.waiting,
            'active', b.active,
            'completed', b.completed,
            'failed', b.failed,
            'cancelled', b.cancelled,
            'batches', b.batches,
            'batches_ended', b.batches_ended,
            'batches_failed', b.batches_failed,
            'percent', b.percent,
            'success_task_id', b.success_task_id,
            'failure_task_id', b.failure_task_id,
            'complete_task_id', b.complete_task_id,
            'created_at', json_time(b.created_at),
            'closed_at', json_time(b.closed_at),
            'cancelled_at', json_time(b.cancelled_at),
            'ended_at', json_time(b.ended_at)
        )::text
    from (
        select k.id
        from batch as k
        where (batch_states.id is null or k.id = batch_states.id)
            and (
                batch_states.status is null or batch_states.status
                = case when k.closed_at is null then 'open' when k.ended_at is null then 'running' else k.outcome end
            )
            and (batch_states.parent_id is null or k.parent_id = batch_states.parent_id)
            and (batch_states.before is null or k.id < batch_states.before)
        order by k.id desc
        limit max_rows
    ) as page
    cross join lateral (select * from batches as v where v.id = page.id) as b
    order by b.id desc;
end
$$;
