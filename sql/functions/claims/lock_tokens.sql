-- Finds where tasks are now, and locks their tokens there until this transaction ends. places: ready, delayed or
-- running; tokens: the row in that table. Both are null for a task that has ended and, without running_too, for a
-- running task: locking that one would wait for the transaction that is finishing it. statuses are those of the view
-- tasks. Leaves out unknown ids and returns the rest in no order.
-- A token may move during the look, but only forward. The next look, a new statement, finds it. Raises PQ003 for a
-- task that moves each time.
create or replace function pgqueue_private.lock_tokens(
    task_ids uuid[], running_too boolean,
    out ids uuid[], out places text[], out tokens tid[], out statuses text[], out attempts smallint[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    waiting uuid[] := array(select distinct w from unnest(task_ids) as w order by w);
    -- Known before the join, so that only the partitions of these days are opened.
    lowest constant uuid := waiting[1];
    highest constant uuid := waiting[cardinality(waiting)];
    look record;
begin
    ids := '{}';
    for n in 1..10 loop
        select
            array_agg(w.id) as ids, array_agg(token.place) as places, array_agg(token.at) as tokens,
            array_agg(token.status) as statuses, array_agg(token.attempt) as attempts
        into look
        from unnest(waiting) as w (id)
        cross join lateral (
            select f.queue, f.priority, f.seq from task as f where f.id = w.id and f.id >= lowest and f.id <= highest limit 1
        ) as t
        cross join lateral (
            select 'ready' as place, r.at, 'queued' as status, r.attempt
            from (
                select r.ctid as at, r.attempt from ready as r
                where r.queue = t.queue and r.priority = t.priority and r.seq = t.seq and r.task_id = w.id
                    and not r.requeued
                for update
            ) as r
            union all
            select 'ready', r.at, 'queued', r.attempt
            from (select r.ctid as at, r.attempt from ready as r where r.task_id = w.id and r.requeued for update) as r
            union all
            select 'delayed', d.at, d.status, d.attempt
            from (select d.ctid as at, d.status, d.attempt from delayed as d where d.task_id = w.id for update) as d
            union all
            select 'running', r.at, 'active', r.attempt
            from (select r.ctid as at, r.attempt from running as r where running_too and r.task_id = w.id for update) as r
        ) as token;
        ids := ids || look.ids;
        places := places || look.places;
        tokens := tokens || look.tokens;
        statuses := statuses || look.statuses;
        attempts := attempts || look.attempts;
        if cardinality(look.ids) = cardinality(waiting) or waiting = '{}' then
            return;
        end if;

        waiting := array(select unnest(waiting) as id except select unnest(look.ids) order by id);
        select
            array_agg(v.id) filter (where v.done) as ids, array_agg(v.status) filter (where v.done) as statuses,
            array_agg(null::text) filter (where v.done) as places, array_agg(null::tid) filter (where v.done) as tokens,
            array_agg(null::smallint) filter (where v.done) as attempts,
            coalesce(array_agg(v.id) filter (where not v.done), '{}') as others
        into look
        from unnest(waiting) as w (id)
        cross join lateral (
            select
                t.id, t.status,
                t.status in ('completed', 'failed', 'cancelled') or (t.status = 'active' and not running_too) as done
            from tasks as t
            where t.id = w.id
            limit 1
        ) as v;
        ids := ids || look.ids;
        places := places || look.places;
        tokens := tokens || look.tokens;
        statuses := statuses || look.statuses;
        attempts := attempts || look.attempts;
        waiting := look.others;
        if waiting = '{}' then
            return;
        end if;
    end loop;
    raise exception 'task % does not stand still', waiting[1]
        using errcode = 'PQ003', hint = 'it moved on each time it was looked at: try again';
end
$$;
