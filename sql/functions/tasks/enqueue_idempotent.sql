-- Stores tasks under a client's key, tasks and key in one transaction, so that the same request sent again within 24
-- hours returns the same tasks. verdict: stored, replayed, reused (the key came with another request), in_flight.
-- places: the position of each task in the request's list; ids has one element for each position, null where the task
-- was refused. verdicts: what enqueue_unique said of each, where any has a dedup_key. With strict, a rejected one
-- raises PQ003 and leaves the client's key free.
create or replace function pgqueue_private.enqueue_idempotent(
    key text, request_hash bytea, tasks jsonb, places int[], asked int, user_id bigint default 0,
    strict boolean default true,
    out verdict text, out ids uuid[], out created_at timestamptz, out queues text[], out verdicts text[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
    known idempotency;
    stored record;
begin
    queues := '{}';
    if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:idempotency:' || user_id || ':' || key, 0)) then
        verdict := 'in_flight';
        return;
    end if;

    select * into known from idempotency as i
    where i.user_id = enqueue_idempotent.user_id and i.key = enqueue_idempotent.key;
    if found and known.created_at > now - interval '24 hours' then
        ids := known.task_ids;
        created_at := known.created_at;
        verdicts := known.verdicts;
        verdict := case when known.request_hash = request_hash then 'replayed' else 'reused' end;
        return;
    end if;

    ids := array_fill(null::uuid, array[asked]);
    if jsonb_path_exists(tasks, '$[*].dedup_key') then
        select u.ids, u.created_at, u.queues, u.verdicts into stored from enqueue_unique(tasks, user_id, strict) as u;
        verdicts := array_fill(null::text, array[asked]);
        for n in 1..cardinality(places) loop
            verdicts[places[n]] := stored.verdicts[n];
        end loop;
    else
        select m.ids, m.created_at, m.queues into stored from enqueue_many(tasks, user_id) as m;
    end if;
    for n in 1..cardinality(places) loop
        ids[places[n]] := stored.ids[n];
    end loop;
    created_at := stored.created_at;
    queues := stored.queues;
    verdict := 'stored';
    insert into idempotency as i (user_id, key, request_hash, task_ids, verdicts, created_at)
    values (user_id, key, request_hash, ids, verdicts, now)
    on conflict on constraint idempotency_pkey do update set
        request_hash = excluded.request_hash, task_ids = excluded.task_ids,
        verdicts = excluded.verdicts, created_at = excluded.created_at;
end
$$;
