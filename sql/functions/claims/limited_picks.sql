-- Locks the runnable tasks of a queue that are to start next, in the order of priority and seq: at most max_tasks,
-- together costing at most max_cost, a single one at most `first`, and of each key no more than its limit has room for.
-- Tasks whose key has no room are moved to wait as blocked, at most five thousand in a call.
-- heads: tokens that are already locked. Where given, the function chooses from them, in their order. Otherwise it
-- looks at tokens of these types (null: any) behind the cursors: see claim_limited().
-- cost: of all chosen. keys: what was found of each key, with "left" where it has a limit. stopped_by: the cost of a
-- task that was too much for the queue. more: there may be others that could start. busy: another claim holds one of
-- the limits.
create or replace function pgqueue_private.limited_picks(
    queue text, max_tasks int, max_cost bigint, first bigint, keyed boolean, heads tid[], types text[], cursors bigint[],
    out chosen tid[], out cost int, out keys jsonb, out stopped_by int, out more boolean, out busy boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    wide int := greatest(least(max_tasks, max_cost), 1);        -- how many tokens one look reads
    last_priority smallint := -1;
    last_seq bigint := 0;
    token record;
    looked int;
    state jsonb;
    held record;
    room record;
    put_back tid[] := '{}';
begin
    chosen := '{}';
    cost := 0;
    keys := '{}';
    more := true;
    busy := false;
    <<look>>
    loop
        looked := 0;
        for token in
            with head as materialized (
                select found.at, found.task_id, found.priority, found.seq
                from generate_series(greatest(last_priority, 0), 10) as level
                cross join lateral (
                    select r.ctid as at, r.task_id, r.priority, r.seq
                    from ready as r
                    where heads is null and r.queue = limited_picks.queue and r.priority = level
                        and r.seq > greatest(cursors[level + 1], case when level = last_priority then last_seq end, 0)
                        and (types is null or r.type = any (types))
                    order by r.seq
                    limit wide
                    for update skip locked
                ) as found
                limit wide
            )
            select h.at, h.priority, h.seq, t.limit_key, coalesce(t.cost, 1)::int as cost
            from (
                select * from head
                union all
                select r.ctid, r.task_id, r.priority, r.seq
                from unnest(heads) as given (at)
                cross join lateral (select k.ctid, k.* from ready as k where k.ctid = given.at) as r
            ) as h
            cross join lateral (select f.limit_key, f.cost from task as f where f.id = h.task_id limit 1) as t
        loop
            looked := looked + 1;
            last_priority := token.priority;
            last_seq := token.seq;
            state := null;
            if keyed and token.limit_key is not null then
                state := keys -> token.limit_key;
                if state is null then
                    state := '{}';
                    select * into held from key_limits(queue, token.limit_key);
                    if found then
                        if
                            held.scope = ''
                            and not pg_try_advisory_xact_lock(hashtextextended('pgqueue:key:' || token.limit_key, 0))
                        then
                            state := '{"busy": true}';
                            busy := true;
                        else
                            select * into room
                            from limit_room(held.scope, token.limit_key, held.concurrency, held.rate, held.slowed_until);
                            state := jsonb_build_object('left', room.n, 'first', room.first, 'cost', 0);
                        end if;
                    end if;
                    keys := jsonb_set(keys, array[token.limit_key], state);
                end if;
                continue when state ? 'busy';
                if
                    token.cost > (state ->> 'left')::bigint
                    and (token.cost > (state ->> 'first')::bigint or (state ->> 'cost')::int > 0)
                then
                    put_back := put_back || token.at;
                    keys := jsonb_set(keys, array[token.limit_key], state || '{"left": 0, "first": 0}');
                    continue;
                end if;
            end if;

            if token.cost > max_cost and (cost > 0 or token.cost > first) then
                stopped_by := token.cost;
                more := false;
                exit look;
            end if;
            chosen := chosen || token.at;
            cost := cost + token.cost;
            max_cost := max_cost - token.cost;
            if state ? 'left' then
                keys := jsonb_set(keys, array[token.limit_key], state || jsonb_build_object(
                    'left', (state ->> 'left')::bigint - token.cost, 'cost', (state ->> 'cost')::int + token.cost
                ));
            end if;
            exit look when cardinality(chosen) = max_tasks;
            if max_cost <= 0 then
                stopped_by := 1;
                more := false;
                exit look;
            end if;
        end loop;
        if heads is not null or looked < wide then
            more := looked >= wide or cardinality(put_back) > 0;
            exit look;
        end if;
        exit look when cardinality(put_back) >= 5000;
        wide := 500;
    end loop;

    if cardinality(put_back) > 0 then
        with taken as (
            delete from ready as r where r.ctid = any (put_back) returning r.*
        )
        insert into delayed (task_id, run_at, priority, attempt, budget, crashes, queue, type, status, limit_key, seq)
        select k.task_id, 'infinity', k.priority, k.attempt, k.budget, k.crashes, k.queue, k.type, 'blocked', t.limit_key, k.seq
        from taken as k
        cross join lateral (select f.limit_key from task as f where f.id = k.task_id limit 1) as t;
    end if;
end
$$;
