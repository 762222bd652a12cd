-- Works on one part of the operation that is due, if any, and says when the next is due. A part and the new position
-- of the operation commit in one transaction: after a crash, nothing is done twice and nothing is left out. Any
-- number of callers may call it: each operation has one worker at a time. A part that fails is tried again, at most
-- five times in a row, then the operation has failed.
create or replace function pgqueue_private.run_operations(
    out operation_id uuid, out operation_kind text, out operation_state text, out operation_error text,
    out worked int, out next_due_s float8
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    max_failures constant int := 5;
    now constant timestamptz := pgqueue.clock();
    turn operation;
    part record;
begin
    worked := 0;
    select * into turn
    from operation as o
    where o.state in ('queued', 'running') and o.next_at <= now
    order by o.next_at
    limit 1
    for update skip locked;

    if found then
        begin
            -- A part lasts a fifth of a second, so that progress shows and locks are short.
            if turn.kind in ('cancel', 'retry') then
                select * into part
                from operate_on_tasks(
                    turn.kind, turn.filter, turn.created_at, turn.cursor, ceil(turn.per_second / 5)::int,
                    coalesce(turn.reason, 'cancelled by operation ' || turn.id)
                );
            else
                select * into part
                from operate_on_dead_letters(turn.kind, turn.filter, turn.created_at, turn.cursor, ceil(turn.per_second / 5)::int);
            end if;
            worked := part.done;
            update operation as o set
                state = case when part.ended then 'completed' else 'running' end,
                -- What was not committed when it was counted, or was estimated, counts when it is done.
                matched = greatest(o.matched, o.done + part.done), done = o.done + part.done,
                skipped = o.skipped + part.skipped, cursor = part.next, failures = 0, error = null,
                started_at = coalesce(o.started_at, now), finished_at = case when part.ended then now end,
                -- A part that found only locked rows runs again in a second.
                next_at = now + case
                    when part.done > 0 then part.done / turn.per_second
                    when part.next = '{}' then 1
                    else 0
                end * interval '1 second'
            where o.id = turn.id
            returning o.state into operation_state;
        exception when others then
            update operation as o set
                state = case when o.failures + 1 >= max_failures then 'failed' else 'running' end,
                failures = o.failures + 1, error = left(sqlerrm, 1000), started_at = coalesce(o.started_at, now),
                finished_at = case when o.failures + 1 >= max_failures then now end,
                next_at = now + 2 ^ o.failures * interval '1 second'
            where o.id = turn.id
            returning o.state, o.error into operation_state, operation_error;
        end;
        operation_id := turn.id;
        operation_kind := turn.kind;
        if exists (select from listener as l where l.channel = 'pgqueue_event' and l.expires_at > now) then
            perform announce(array[turn.id]);
        end if;
    end if;

    select extract(epoch from min(o.next_at) - pgqueue.clock()) into next_due_s
    from operation as o
    where o.state in ('queued', 'running');
end
$$;
