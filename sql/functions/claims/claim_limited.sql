-- Leases up to max_tasks runnable tasks of one queue to a worker, within the limits of that queue and of its tasks'
-- keys across all workers: never more running than a concurrency allows, never more starts in a span than a rate
-- allows, none while the queue is paused.
-- Claims of the same queue take turns by an advisory lock, which is tried, never waited for, and held only until this
-- transaction ends. A statement after it counts what is taken. Each limit that other queues share is handled in the
-- same way.
-- A task whose key has no room is moved out of the way, to wait as blocked. A task that costs more than its queue has
-- left is waited for: those behind it do not overtake. In a fair queue, keys take turns, starting where turn says:
-- the next_turn of the claimer's last row (null: start anywhere). See fair_picks().
-- Takes only tasks of these types (null: of any). cursors has a seq for each priority, at or below which all tokens
-- are of other types; a fair queue does not use it.
-- The rows are those of claim(), and a last one without a task. Its again_s says in how many seconds to claim again;
-- null: when the doorbell rings.
create or replace function pgqueue_private.claim_limited(
    worker bigint, queue text, max_tasks int, turn jsonb default null, types text[] default null, cursors bigint[] default null
)
returns table (
    task_id uuid, lease_id bigint, attempt smallint, budget smallint, crashes smallint, priority smallint, seq bigint,
    queue_name text, type text, timeout_s real, wait_s float8, payload text, traceparent text, watched boolean,
    resumes boolean, expired boolean, run_at_s float8, batch_id uuid, again_s float8, next_turn jsonb
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    room record;
    fair record;
    picks record;
    used record;
    soonest float8;
begin
    for look in 1..2 loop
        select * into room from queue_room(claim_limited.queue);
        if room.first <= 0 then  -- the first look takes no lock, so a full queue costs almost nothing
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

    select null::tid[] as picked, null::jsonb as next_turn into fair;
    if room.fair then
        select * into fair from fair_picks(claim_limited.queue, least(max_tasks, greatest(room.n, 1))::int, turn, types);
    end if;
    select * into picks from limited_picks(claim_limited.queue, max_tasks, room.n, room.first, room.keyed, fair.picked, types, cursors);
    if cardinality(picks.chosen) > 0 then
        return query
        select l.*, null::float8, null::jsonb
        from claim(worker, array[claim_limited.queue], null, max_tasks, null, true, picks.chosen) as l;

        perform use_limit(claim_limited.queue, '', room.concurrency, room.rate, picks.cost);
    end if;
    for used in
        select k.key, (k.state ->> 'cost')::int as cost, h.*
        from jsonb_each(picks.keys) as k (key, state)
        cross join lateral key_limits(claim_limited.queue, k.key) as h
        where k.state ? 'left'
    loop
        if used.cost > 0 then
            perform use_limit(used.scope, used.key, used.concurrency, used.rate, used.cost);
        end if;
        if unblock(claim_limited.queue, used.key, false) > 0 then
            soonest := 0;
        end if;
    end loop;

    if picks.stopped_by is not null then  -- it costs more than the queue's own limits have left
        select * into room from queue_room(claim_limited.queue, picks.stopped_by);
        again_s := case when room.n >= picks.stopped_by then 0 else room.again_s end;
    elsif picks.more then
        again_s := 0;
    end if;
    again_s := least(again_s, soonest, case when picks.busy then 0.005 + random() * 0.01 end);
    next_turn := fair.next_turn;
    return next;
end
$$;
