-- Locks the runnable tasks of a fair queue, of these types (null: of any), that are to start next, at most max_tasks:
-- first by priority. Within a priority, keys take turns in order, starting where turn says, each with as many tasks
-- as its weight, in the order of seq. Tasks that already waited when the queue became fair have no key and take turns as one.
-- turn is the next_turn of the claimer's previous call (null: start anywhere). The claimer remembers it; nothing is
-- stored.
-- Reads one index entry for each key whose turn comes, and the tasks picked, not the backlog.
create or replace function pgqueue_private.fair_picks(
    queue text, max_tasks int, turn jsonb, types text[], out picked tid[], out next_turn jsonb
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    weights constant jsonb := coalesce((select q.fairness -> 'weights' from queue as q where q.name = fair_picks.queue), '{}');
    first text := turn ->> 'key';
    used int := coalesce((turn ->> 'used')::int, 0);        -- of the first key's turn
    level smallint := -1;
    last_keyless bigint;
    keys text[];
    share int;                                              -- tasks of all keys in one turn
    turns int;
    took tid[];
    short boolean;
begin
    picked := '{}';
    while cardinality(picked) < max_tasks loop
        select r.priority into level
        from ready as r
        where r.queue = fair_picks.queue and r.priority > level
        order by r.priority
        limit 1;
        exit when level is null;

        select max(head.seq) into last_keyless
        from (
            select r.seq, r.fairness_key
            from ready as r
            where r.queue = fair_picks.queue and r.priority = level and (types is null or r.type = any (types))
            order by r.seq
            limit max_tasks
        ) as head
        where head.fairness_key is null;
        keys := fair_keys(queue, level, first, null, max_tasks, types)
            || case when last_keyless is not null then '{""}'::text[] end
            || fair_keys(queue, level, null, coalesce(first, ''), max_tasks, types);
        if used > 0 then
            keys := first || array_remove(keys, first);
        end if;
        select sum(coalesce((weights ->> k)::int, 1)) into share from unnest(keys[:max_tasks]) as k;
        turns := ceil((max_tasks - cardinality(picked)) / share::float8);

        loop  -- repeat with more turns where keys had fewer tasks than their turns allow
            with place as materialized (
                select k.key, k.n, case when k.n = 1 then used else 0 end as used, coalesce((weights ->> k.key)::int, 1) as weight
                from unnest(keys[:max_tasks]) with ordinality as k (key, n)
            ),
            free as materialized (
                select p.key, p.n, p.used, p.weight, r.at, r.seq
                from place as p
                cross join lateral (
                    select r.ctid as at, r.seq
                    from ready as r
                    where p.key <> '' and r.queue = fair_picks.queue and r.priority = level and r.fairness_key = p.key
                        and (types is null or r.type = any (types))
                    order by r.seq
                    limit turns * p.weight
                    for update skip locked
                ) as r
                union all
                select p.key, p.n, p.used, p.weight, r.at, r.seq
                from place as p
                cross join lateral (
                    select r.ctid as at, r.seq
                    from ready as r
                    where p.key = '' and r.queue = fair_picks.queue and r.priority = level and r.seq <= last_keyless
                        and r.fairness_key is null and (types is null or r.type = any (types))
                    order by r.seq
                    limit turns * p.weight
                    for update skip locked
                ) as r
            ),
            turned as (
                select f.at, f.key, f.n, f.weight, f.used + row_number() over (partition by f.key order by f.seq) - 1 as nth
                from free as f
            ),
            taken as materialized (
                select t.at, t.key, t.weight, t.nth, t.n
                from turned as t
                order by t.nth / t.weight, t.n, t.nth
                limit max_tasks - cardinality(picked)
            )
            select
                array_agg(at), count(*) < max_tasks - cardinality(picked) and (
                    select bool_or(full_ones.here) from (
                        select count(*) >= turns * min(f.weight) as here from free as f group by f.key
                    ) as full_ones
                ),
                (array_agg(jsonb_build_object(
                    'key', key, 'used', case when (nth + 1) % weight = 0 then 0 else nth % weight + 1 end
                ) order by nth / weight desc, n desc, nth desc))[1]
            into took, short, next_turn
            from taken;
            exit when not coalesce(short, false);
            turns := turns * 4;
        end loop;
        picked := picked || coalesce(took, '{}');
        if next_turn is not null then
            turn := next_turn;
            first := turn ->> 'key';
            used := (turn ->> 'used')::int;
        end if;
    end loop;
    next_turn := turn;
end
$$;
