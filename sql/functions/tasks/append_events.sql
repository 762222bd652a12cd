-- Stores what handlers log and stream. Each element: task_id, lease_id, seq (the lease's own counter), type ('log',
-- the default, or 'text': a piece of what the handler writes), level, message, data.
-- An event that is already stored is ignored, so a writer may send again what it is not sure of. An event of an
-- attempt that lost its lease is dropped, so logs only grow at their end.
create or replace function pgqueue_private.append_events(events jsonb, out watched boolean)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
begin
    insert into task_event (task_id, lease_id, seq, at, type, level, message, data)
    select e.task_id, e.lease_id, e.seq, now, coalesce(e.type, 'log'), e.level, e.message, e.data
    from jsonb_to_recordset(events) as e (
        task_id uuid, lease_id bigint, seq int, type text, level text, message text, data jsonb
    )
    where exists (select from running as r where r.task_id = e.task_id and r.lease_id = e.lease_id)
    on conflict do nothing;

    watched := exists (select from listener where channel = 'pgqueue_event' and expires_at > now);
end
$$;
