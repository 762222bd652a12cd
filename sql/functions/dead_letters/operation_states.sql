-- Operations as the JSON text that the HTTP API returns, latest first: one by its id, or a page of those before an
-- id.
create or replace function pgqueue_private.operation_states(id uuid, kind text, state text, before uuid, max_rows int)
returns table (operation_id uuid, operation_state text, item text)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        o.id, o.state,
        json_build_object(
            'id', o.id,
            'kind', o.kind,
            'state', o.state,
            'filter', o.filter,
            'per_second', o.per_second,
            'matched', o.matched,
            'matched_exact', o.matched_exact,
            'done', o.done,
            'skipped', o.skipped,
            'requested_by', o.requested_by,
            'reason', o.reason,
            'error', o.error,
            'created_at', json_time(o.created_at),
            'started_at', json_time(o.started_at),
            'finished_at', json_time(o.finished_at)
        )::text
    from operations as o
    where (operation_states.id is null or o.id = operation_states.id)
        and (operation_states.kind is null or o.kind = operation_states.kind)
        and (operation_states.state is null or o.state = operation_states.state)
        and (operation_states.before is null or o.id < operation_states.before)
    order by o.id desc
    limit max_rows;
end
$$;
