-- Stores tasks in the caller's transaction as enqueue_many does, except those whose dedup_key is taken: while the
-- newest task with the key is in one of dedup_statuses (by default all that are not final; with dedup_window_s all
-- but failed and cancelled) and, with dedup_window_s, was created within so many seconds. However many callers write
-- at once, a key never gets two tasks.
-- Keys are separate by user and by type, or by queue if dedup_scope is 'queue'. on_conflict says what happens to a
-- task whose key is taken. return: the other task's id is returned instead. replace: the other task takes its payload
-- and its run_at, if it waits. debounce: the same, but the new task must have a delay. reject: the task is not
-- stored, and with strict the whole call fails (PQ003, its detail is the other's id).
-- Returns for each task its id, or the other's, and a verdict: stored, returned, replaced or rejected.
-- Writers of a key take turns until they commit. They wait for its row and not for an advisory lock: a transaction
-- may hold any number of rows. Each call locks in the same order, so two calls never wait for each other.
create or replace function pgqueue.enqueue_unique(
    tasks jsonb, user_id bigint default 0, strict boolean default true,
    out ids uuid[], out created_at timestamptz, out queues text[], out verdicts text[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    owner constant bigint := user_id;
    asked constant int := jsonb_array_length(tasks);
    wrong text;
    item record;
    twin int;                                       -- the position of the key's newest task, if this call stores it
    known_ids uuid[];
    others jsonb;                                   -- type and status by id
    known_id uuid;
    known_type text;
    known_status text;
    known_at timestamptz;
    twins int[] := array_fill(null::int, array[asked]);
    stored record;
    n_stored int := 0;
    places int[];                                   -- positions among the stored tasks, for what depends on them
begin
    ids := array_fill(null::uuid, array[asked]);
    verdicts := array_fill('stored'::text, array[asked]);

    select w.wrong into wrong
    from dedup_input(tasks, now) as i
    cross join lateral (
        select
            case
                when i.key is null then
                    case when i.options then 'dedup_scope, dedup_statuses, dedup_window_s and on_conflict need a dedup_key' end
                when length(i.key) not between 1 and 255 then 'dedup_key must have 1 to 255 characters'
                when i.scope not in ('type', 'queue') then 'dedup_scope must be type or queue'
                when i.on_conflict not in ('return', 'reject', 'replace', 'debounce')
                    then 'on_conflict must be return, reject, replace or debounce'
                when i.on_conflict = 'debounce' and i.run_at is null then 'on_conflict debounce needs a delay_s or a run_at'
                when i.window_s <= 0 or i.window_s > 1e9 then 'dedup_window_s must be more than 0 and at most 1e9'
                when
                    cardinality(i.statuses) = 0
                    or not i.statuses <@ array[
                        'scheduled', 'queued', 'blocked', 'active', 'retrying', 'completed', 'failed', 'cancelled'
                    ]
                    then 'dedup_statuses must list one or more of scheduled, queued, blocked, active, retrying, completed, failed, cancelled'
            end as wrong
    ) as w
    where w.wrong is not null
    order by i.n
    limit 1;
    if found then
        raise exception 'the dedup settings of a task are not valid' using errcode = 'PQ004', hint = wrong;
    end if;

    -- This locks an existing row in any case, even where the condition leaves it unchanged.
    insert into dedup as d (user_id, scope, scope_name, key, created_at, expires_at, lasting)
    select owner, i.scope, i.scope_name, i.key, now, now + max(i.remember_s) * interval '1 second', bool_or(i.lasting)
    from dedup_input(tasks, now) as i
    where i.key is not null and i.scope_name is not null
    group by i.scope, i.scope_name, i.key
    order by i.scope, i.scope_name, i.key
    on conflict on constraint dedup_pkey do update set
        expires_at = greatest(d.expires_at, d.created_at + (excluded.expires_at - excluded.created_at)),
        lasting = d.lasting or excluded.lasting
    where d.expires_at < d.created_at + (excluded.expires_at - excluded.created_at) or excluded.lasting > d.lasting;

    -- Separate statements, so that they see what the previous holder of the locks has committed.
    select array_agg(d.task_id) into known_ids
    from dedup_input(tasks, now) as i
    cross join lateral (
        select d.task_id
        from dedup as d
        where d.user_id = owner and d.scope = i.scope and d.scope_name = i.scope_name and d.key = i.key
        limit 1
    ) as d
    where i.key is not null and d.task_id is not null;
    if known_ids is not null then
        select jsonb_object_agg(t.id, jsonb_build_object('status', t.status, 'type', t.type)) into others
        from unnest(known_ids) as known (id)
        cross join lateral (select v.id, v.status, v.type from tasks as v where v.id = known.id limit 1) as t;
    end if;

    for item in
        select
            i.n, i.type, i.key, i.run_at, i.statuses, i.window_s, i.on_conflict, d.task_id, d.created_at,
            row_number() over (partition by i.scope, i.scope_name, i.key order by i.n) as turn
        from dedup_input(tasks, now) as i
        cross join lateral (
            select d.task_id, d.created_at
            from dedup as d
            where d.user_id = owner and d.scope = i.scope and d.scope_name = i.scope_name and d.key = i.key
            limit 1
        ) as d
        where i.key is not null
        order by i.scope, i.scope_name, i.key, i.n
    loop
        if item.turn = 1 then
            twin := null;
            known_id := item.task_id;
            known_type := others -> item.task_id::text ->> 'type';
            known_status := others -> item.task_id::text ->> 'status';
            known_at := item.created_at;
        end if;

        if known_status = any (item.statuses) and coalesce(known_at > now - item.window_s * interval '1 second', true) then
            ids[item.n] := known_id;
            twins[item.n] := twin;
            -- A payload belongs to its type, and with scope queue the other task may have another type.
            verdicts[item.n] := case
                when item.on_conflict = 'return' then 'returned'
                when item.on_conflict = 'reject' or item.type <> known_type then 'rejected'
                else 'replaced'
            end;
            if strict and verdicts[item.n] = 'rejected' then
                raise exception 'task % with dedup_key % is already %', known_id, to_json(item.key), known_status
                    using errcode = 'PQ003', constraint = 'dedup_pkey', detail = coalesce(known_id::text, ''),
                        hint = case
                            when item.on_conflict = 'reject' then 'use that task, or another on_conflict: return returns it, replace and debounce replace its payload'
                            else 'it has another type, so its payload cannot be replaced: use another dedup_key, or dedup_scope type'
                        end;
            end if;
        else
            twin := item.n;
            known_id := null;
            known_type := item.type;
            known_status := case when item.run_at > now then 'scheduled' else 'queued' end;
            known_at := now;
        end if;
    end loop;

    queues := '{}';
    created_at := now;
    if 'stored' = any (verdicts) then
        if jsonb_path_exists(tasks, '$[*].depends_on') then
            places := places_of(verdicts, twins);
        end if;
        select s.* into stored
        from enqueue_many(
            (
                select jsonb_agg(
                    case
                        when e.task ? 'depends_on'
                            then e.task || jsonb_build_object('depends_on', renumber(e.task -> 'depends_on', places, ids))
                        else e.task
                    end
                    order by e.n
                )
                from jsonb_array_elements(tasks) with ordinality as e (task, n)
                where verdicts[e.n] = 'stored'
            ),
            owner
        ) as s;
        created_at := stored.created_at;
        queues := stored.queues;
    end if;
    for n in 1..asked loop
        if verdicts[n] = 'stored' then
            n_stored := n_stored + 1;
            ids[n] := stored.ids[n_stored];
        elsif twins[n] is not null then
            ids[n] := ids[twins[n]];
        end if;
    end loop;

    -- Record the newest task of each key. An insert uses the index, whatever the planner believes.
    insert into dedup as d (user_id, scope, scope_name, key, task_id, created_at, expires_at, lasting)
    select
        owner, i.scope, i.scope_name, i.key,
        (array_agg(ids[i.n] order by i.n desc) filter (where verdicts[i.n] = 'stored'))[1], enqueue_unique.created_at,
        greatest(now, max(i.run_at)) + max(i.remember_s) * interval '1 second', bool_or(i.lasting)
    from dedup_input(tasks, now) as i
    where i.key is not null
    group by i.scope, i.scope_name, i.key
    having bool_or(verdicts[i.n] = 'stored')
    on conflict on constraint dedup_pkey do update set
        task_id = excluded.task_id, created_at = excluded.created_at, expires_at = excluded.expires_at, lasting = excluded.lasting;

    if 'replaced' = any (verdicts) then
        for item in
            select i.n, i.payload, i.run_at from dedup_input(tasks, now) as i where verdicts[i.n] = 'replaced' order by i.n
        loop
            if not (change_task(ids[item.n], run_at => coalesce(item.run_at, now), payload => item.payload)).changed then
                verdicts[item.n] := 'returned';
            end if;
        end loop;
    end if;
end
$$;

comment on function pgqueue.enqueue_unique is
    'Enqueues tasks as enqueue_many() does unless their dedup_key is taken, and returns for each its id, or that of '
    'the task that has the key, and what happened: stored, returned, replaced or rejected.';
