-- Sees to it that those who will wait for these tasks hear of their ends: marks each that has not ended as followed, under the lock of its
-- token, so that it cannot end before this transaction does. Gives those that have ended, as what, and those that there are not.
create or replace function pgqueue_private.hold_tasks(
    task_ids uuid[], out ended uuid[], out outcomes text[], out unknown uuid[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
as $$
#variable_conflict use_column
declare
    waiting uuid[] := array(select distinct w from unnest(task_ids) as w order by w);
    held uuid[] := '{}';
    found_now uuid[];
    rest uuid[];
begin
    unknown := array(
        select w.id from unnest(waiting) as w (id) where (select f.id from task as f where f.id = w.id limit 1) is null
    );
    waiting := array(select unnest(waiting) as id except select unnest(unknown) order by id);
    ended := '{}';
    outcomes := '{}';
    -- A token may move while we look, always forward: whoever moved it first, the next look finds it.
    for look in 1..10 loop
        exit when waiting = '{}';
        found_now := array(
            select w.id
            from unnest(waiting) as w (id)
            cross join lateral (select f.* from task as f where f.id = w.id limit 1) as t
            cross join lateral (
                select r.seq from ready as r
                where r.queue = t.queue and r.priority = t.priority and r.seq = t.seq and r.task_id = t.id
                for update
            ) as r
        );
        rest := array(select unnest(waiting) as id except select unnest(found_now) order by id);
        found_now := found_now || array(
            select w.id
            from unnest(rest) as w (id)
            cross join lateral (select r.seq from ready as r where r.task_id = w.id and r.requeued for update) as r
        );
        rest := array(select unnest(waiting) as id except select unnest(found_now) order by id);
        found_now := found_now || array(
            select w.id
            from unnest(rest) as w (id)
            cross join lateral (select d.run_at from delayed as d where d.task_id = w.id for update) as d
        );
        rest := array(select unnest(waiting) as id except select unnest(found_now) order by id);
        with marked as (
            update running as r set followed = true where r.task_id = any (rest) returning r.task_id
        )
        select found_now || coalesce(array_agg(task_id), '{}') into found_now from marked;
        held := held || found_now;
        waiting := array(select unnest(waiting) as id except select unnest(found_now) order by id);

        with over as (
            select v.id, v.status
            from unnest(waiting) as w (id)
            cross join lateral (select t.id, t.status from tasks as t where t.id = w.id limit 1) as v
            where v.status in ('completed', 'failed', 'cancelled')
        )
        select ended || coalesce(array_agg(id), '{}'), outcomes || coalesce(array_agg(status), '{}') into ended, outcomes from over;
        waiting := array(select unnest(waiting) as id except select unnest(ended) order by id);
    end loop;
    if waiting <> '{}' then
        raise exception 'task % does not stand still', waiting[1] using errcode = 'PQ003', hint = 'it moved on each time it was looked at: try again';
    end if;

    update task as t set followed = true where t.id = any (held) and t.followed is not true;
end
$$;
