-- Changes what is given of a task, if it waits: status says where it is afterwards (null: there is no such task), changed
-- whether it waited. One that turns runnable, or gets another priority, takes its place behind those that are there; a run_at
-- in the past is at once. A blocked one keeps what it waits for: it has no run_at to change. With if_match only where the task's etag is one of these, else PQ005.
-- The fact changes under the lock of the token, which every claim takes first: see docs/adr/0006.
create or replace function pgqueue_private.change_task(
    id uuid, priority int default null, run_at timestamptz default null, payload jsonb default null,
    if_match text[] default null, out status text, out changed boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    fact record;
    token record;
    place text;
begin
    changed := false;
    if priority not between 0 and 10 or run_at < 'epoch' or run_at >= '9999-01-01 00:00Z' then
        raise exception 'a value is out of range'
            using errcode = 'PQ004', hint = 'priority is 0 (first) to 10 (last), run_at in the years 1970 to 9998';
    end if;
    select t.id, t.queue, t.priority, t.seq into fact from task as t where t.id = change_task.id;
    if not found then
        return;
    end if;

    -- A token may move while we look, always forward: whoever moved it first, the next look finds it.
    for look in 1..3 loop
        place := 'ready';
        select r.ctid as at, r.priority, r.attempt, r.budget, r.crashes, 'queued' as status into token
        from ready as r
        where r.queue = fact.queue and r.priority = fact.priority and r.seq = fact.seq and r.task_id = fact.id
        for update;
        if not found then
            select r.ctid as at, r.priority, r.attempt, r.budget, r.crashes, 'queued' as status into token
            from ready as r
            where r.task_id = fact.id and r.requeued
            for update;
        end if;
        if not found then
            place := 'delayed';
            select d.ctid as at, d.priority, d.attempt, d.budget, d.crashes, d.status into token
            from delayed as d
            where d.task_id = fact.id
            for update;
        end if;
        exit when found;
        select v.status into status from tasks as v where v.id = fact.id limit 1;
        if status in ('active', 'completed', 'failed', 'cancelled') or look = 3 then
            return;
        end if;
    end loop;

    if if_match is not null then
        perform from tasks as v
        where v.id = fact.id and task_etag(v.status, v.priority, v.run_at, v.attempt, v.lease_id) = any (if_match);
        if not found then
            raise exception 'task % has changed', fact.id
                using errcode = 'PQ005', hint = 'read it again, then decide again';
        end if;
    end if;

    status := token.status;
    if status = 'blocked' and run_at is not null then
        if payload is null then
            return;
        end if;
        run_at := null;  -- it does not wait for a time
    end if;

    changed := true;
    if run_at > now and place = 'ready' then
        status := 'scheduled';
        delete from ready as r where r.ctid = token.at;
        insert into delayed (task_id, run_at, priority, attempt, budget, crashes, queue, status)
        values (
            fact.id, run_at, coalesce(priority, token.priority), token.attempt, token.budget, token.crashes, fact.queue, status
        );
    elsif run_at <= now and place = 'delayed' then
        status := 'queued';
        delete from delayed as d where d.ctid = token.at;
        insert into ready (task_id, ready_at, priority, attempt, budget, crashes, requeued, queue, fairness_key)
        values (
            fact.id, now, coalesce(priority, token.priority), token.attempt, token.budget, token.crashes, true, fact.queue,
            fair_key(fact.queue, fact.id)
        );
        perform ring(array[fact.queue]);
    elsif place = 'delayed' then
        if run_at is not null and status <> 'retrying' then
            status := 'scheduled';
        end if;
        update delayed as d set
            priority = coalesce(change_task.priority, d.priority), run_at = coalesce(change_task.run_at, d.run_at),
            status = change_task.status, reason = case when change_task.run_at is null or status = 'retrying' then d.reason end
        where d.ctid = token.at;
    elsif priority <> token.priority then
        update ready as r set priority = change_task.priority, seq = nextval('pgqueue_private.ready_seq'), requeued = true
        where r.ctid = token.at;
    end if;

    update task as t set
        priority = coalesce(change_task.priority, t.priority),
        -- the run_at of a retry is its token's alone
        run_at = case
            when change_task.run_at is null or token.status = 'retrying' then t.run_at
            when change_task.run_at > now or t.run_at is not null then change_task.run_at
        end,
        payload = coalesce(change_task.payload, t.payload)
    where t.id = fact.id;

    if exists (select from listener where channel = 'pgqueue_event' and expires_at > now) then
        perform announce(array[fact.id]);
    end if;
end
$$;
