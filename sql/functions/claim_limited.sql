-- Leases up to max_tasks runnable tasks of one queue to a worker, within the limits of that queue over all workers:
-- never more at once than its concurrency, in no span of its rates more starts than their count, none while it is paused.
-- Takes turns with other claims of the queue by an advisory lock that is tried and not waited for, held to the end of this
-- transaction only, and counts what is taken in a statement after it. In a fair queue keys take turns from the place in turn on,
-- the next_turn of the claimer's last row (null: from anywhere): see fair_picks(). The rows are those of claim(). again_s, on each row or
-- on a row of its own without a task, says in how many seconds to come again; null: when the doorbell rings.
create or replace function pgqueue.claim_limited(worker bigint, queue text, max_tasks int, turn jsonb default null)
returns table (
    task_id uuid, lease_id bigint, attempt smallint, budget smallint, crashes smallint, priority smallint, seq bigint,
    queue_name text, type text, timeout_s real, wait_s float8, payload text, traceparent text, watched boolean,
    resumes boolean, expired boolean, run_at_s float8, again_s float8, next_turn jsonb
)
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    room record;
    fair record;
    taken int;
begin
    for look in 1..2 loop
        select * into room from queue_room(claim_limited.queue);
        if room.n <= 0 then  -- the first time without a lock, so that a full queue costs next to nothing
            again_s := room.again_s;
            return next;
            return;
        end if;
        exit when look = 2;
        if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:limit:' || claim_limited.queue, 0)) then
            again_s := 0.005 + random() * 0.01;
            return next;
            return;
        end if;
    end loop;

    if room.fair then
        select * into fair from fair_picks(claim_limited.queue, least(max_tasks, room.n), turn);
    else
        select null::tid[] as picked, null::jsonb as next_turn into fair;
    end if;

    return query
    with leased as materialized (
        select * from claim(worker, array[claim_limited.queue], null, least(max_tasks, room.n), true, fair.picked)
    ),
    held as (
        insert into slot (queue, lease_id) select claim_limited.queue, l.lease_id from leased as l
    )
    select l.*, case when count(*) over () < least(max_tasks, room.n) then null else 0 end::float8, fair.next_turn
    from leased as l;

    get diagnostics taken = row_count;
    if taken > 0 and room.rated then
        -- a start that a crash of the server forgot would let another through
        perform set_config('synchronous_commit', 'on', true);
        insert into started (queue, at, n) values (claim_limited.queue, pgqueue.clock(), taken);
    end if;
end
$$;
