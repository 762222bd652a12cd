-- One step down the graph: deletes the dependencies on tasks that ended, releases children that wait for nothing
-- more, and ends children that cannot run any more, which it returns.
-- Parents of one child may end at once, in transactions that do not see each other. A transaction that finds another
-- blocker of the child which nobody has locked locks it, and may leave the child: the transaction that later deletes
-- that blocker waits for this one and sees what it did. A transaction that finds none takes the child's own lock and
-- looks again in a new statement: the last one to get the lock sees everything.
-- Locks are taken in one order, first blockers, by deleting them, then children by their ids, so there is no
-- deadlock.
create or replace function pgqueue_private.settle_dependents(
    task_ids uuid[], outcomes text[], out ids uuid[], out ended_as text[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    children uuid[];
    hopeful uuid[];                                 -- children that may still run
    doomed uuid[];
    fates text[];
    reasons text[];
    released uuid[];
    rung text[];
    attempts smallint[];
begin
    with gone as materialized (
        delete from blocker as b
        using unnest(task_ids, outcomes) as e (id, outcome)
        where b.parent_id = any (task_ids) and b.parent_id = e.id
        returning b.child_id, b.parent_id, b.on_failure, e.outcome
    ),
    fatal as (
        select distinct on (child_id)
            child_id, on_failure, 'task ' || parent_id || ', which it waited for, '
                || case when outcome = 'cancelled' then 'was cancelled' else 'failed' end as reason
        from gone
        where outcome <> 'completed' and on_failure <> 'run'
        order by child_id, on_failure desc  -- fail before cancel
    )
    select
        array(select distinct child_id from gone order by child_id),
        array(select child_id from fatal order by child_id),
        array(select case on_failure when 'fail' then 'failed' else 'cancelled' end from fatal order by child_id),
        array(select reason from fatal order by child_id)
    into children, doomed, fates, reasons;
    if cardinality(children) = 0 then
        return;
    end if;

    -- Leave those children that another transaction will still visit.
    hopeful := array(
        select c.id
        from (select unnest(children) as id except select unnest(doomed)) as c
        -- The newest blocker is likely to end last, so the others do not have to wait here.
        where (
            select b.parent_id from blocker as b where b.child_id = c.id order by b.parent_id desc limit 1 for update skip locked
        ) is null
    );
    perform from delayed as d where d.task_id = any (hopeful || doomed) order by d.task_id for update;

    released := array(
        select c.id
        from unnest(hopeful) as c (id)
        cross join lateral (select d.status from delayed as d where d.task_id = c.id limit 1) as d
        where d.status = 'blocked' and (select b.parent_id from blocker as b where b.child_id = c.id limit 1) is null
    );
    if cardinality(released) > 0 then
        update delayed as d set status = 'scheduled', run_at = t.run_at, reason = null
        from unnest(released) as r (id)
        cross join lateral (select f.run_at from task as f where f.id = r.id limit 1) as t
        where d.task_id = any (released) and d.task_id = r.id and t.run_at > now;
        select m.queues into rung
        from make_ready(array(
            select d.ctid from delayed as d where d.task_id = any (released) and d.status = 'blocked'
        )) as m;
        perform ring(rung);
    end if;

    if cardinality(doomed) > 0 then
        with ended as (
            delete from delayed as d
            using unnest(doomed, fates, reasons) as e (id, fate, reason)
            where d.task_id = any (doomed) and d.task_id = e.id and d.status = 'blocked'
            returning d.task_id, d.attempt, e.fate, e.reason
        )
        select array_agg(task_id), array_agg(attempt), array_agg(fate), array_agg(reason)
        into ids, attempts, ended_as, reasons
        from ended;
        if ids is not null then
            perform end_waiting(ids, attempts, ended_as, reasons);
        end if;
    end if;

    if exists (select from listener as l where l.channel = 'pgqueue_event' and l.expires_at > now) then
        perform announce(released || ids);
    end if;
end
$$;
