-- What was logged since a position, over all tasks, in an order that skips nothing: only lines of transactions that
-- no running one can still come before. A position is the transaction and, within it, the last line returned. With no
-- position, or one that this server has not reached, it returns no lines but the position to begin at.
create or replace function pgqueue_private.tail_logs(
    after_xid xid8, after_task uuid, after_lease bigint, after_seq int, queue text, type text, max_lines int
) returns table (xid xid8, task_id uuid, lease_id bigint, seq int, line text)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    safe constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
begin
    if after_xid is null or after_xid > pg_snapshot_xmax(pg_current_snapshot()) then
        return query select safe, '00000000-0000-0000-0000-000000000000'::uuid, 0::bigint, 0, null::text;
        return;
    end if;
    return query
    select
        e.written_by, e.task_id, e.lease_id, e.seq,
        -- Lines of other queues and types only advance the position, as do pieces of text, which go to their task's
        -- watchers.
        case when t.id is not null and e.type = 'log'
            then log_json(e.task_id, e.lease_id, e.seq, e.at, e.level, e.message, e.data)
        end
    from (
        select * from task_event as k
        where k.written_by >= after_xid and k.written_by < safe
            and (k.written_by, k.task_id, k.lease_id, k.seq) > (after_xid, after_task, after_lease, after_seq)
        order by k.written_by, k.task_id, k.lease_id, k.seq
        limit max_lines
    ) as e
    left join lateral (
        select f.id from task as f
        where f.id = e.task_id
            and (tail_logs.queue is null or f.queue = tail_logs.queue)
            and (tail_logs.type is null or f.type = tail_logs.type)
        limit 1
    ) as t on true
    order by e.written_by, e.task_id, e.lease_id, e.seq;
end
$$;
