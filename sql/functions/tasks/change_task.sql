-- Changes the given fields of a task, if it waits. status is its status afterwards (null: there is no such task);
-- changed says whether it waited. A task that becomes runnable, or gets another priority, goes behind those in the
-- queue; a run_at in the past means at once. A blocked task keeps what it waits for: it has no run_at to change. With
-- if_match, changes the task only where its etag is one of these; otherwise raises PQ005.
-- The fact changes under the lock of the token, which every claim takes first: see docs/adr/0006.
create or replace function pgqueue_private.change_task(
    id uuid, priority int default null, run_at timestamptz default null, payload jsonb default null,
    if_match text[] default null, out status text, out changed boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    token record;
    at_once boolean;
    was text;                                       -- its status before
begin
    changed := false;
    if priority not between 0 and 10 or run_at < 'epoch' or run_at >= '9999-01-01 00:00Z' then
        raise exception 'a value is out of range'
            using errcode = 'PQ004', hint = 'priority is 0 (first) to 10 (last), run_at in the years 1970 to 9998';
    end if;
    select l.places[1] as place, l.tokens[1] as at, l.statuses[1] as status into token
    from lock_tokens(array[change_task.id], running_too => false) as l;
    was := token.status;
    status := was;
    if token.place is null then
        return;
    end if;

    if if_match is not null then
        perform from tasks as v
        where v.id = change_task.id and task_etag(v.status, v.priority, v.run_at, v.attempt, v.lease_id) = any (if_match);
        if not found then
            raise exception 'task % has changed', change_task.id
                using errcode = 'PQ005', hint = 'read it again, then decide again';
        end if;
    end if;

    if status = 'blocked' and run_at is not null then
        if payload is null then
            return;
        end if;
        run_at := null;  -- it does not wait for a time
    end if;

    changed := true;
    at_once := run_at <= now;
    if token.place = 'ready' and run_at > now then
        status := 'scheduled';
        with taken as (
            delete from ready as r where r.ctid = token.at returning r.*
        )
        insert into delayed (task_id, run_at, priority, attempt, budget, crashes, queue, type, status)
        select
            k.task_id, change_task.run_at, coalesce(change_task.priority, k.priority), k.attempt, k.budget, k.crashes, k.queue, k.type,
            change_task.status
        from taken as k;
    elsif token.place = 'ready' then
        update ready as r set priority = change_task.priority, seq = nextval('pgqueue_private.ready_seq'), requeued = true
        where r.ctid = token.at and r.priority <> change_task.priority;
    elsif at_once then
        status := 'queued';
        if priority is not null then
            update delayed as d set priority = change_task.priority where d.ctid = token.at returning d.ctid into token.at;
        end if;
        perform ring(m.queues) from make_ready(array[token.at]) as m;
    else
        if run_at is not null and status <> 'retrying' then
            status := 'scheduled';
        end if;
        update delayed as d set
            priority = coalesce(change_task.priority, d.priority), run_at = coalesce(change_task.run_at, d.run_at),
            status = change_task.status, reason = case when change_task.run_at is null or status = 'retrying' then d.reason end
        where d.ctid = token.at;
    end if;

    update task as t set
        priority = coalesce(change_task.priority, t.priority),
        -- Only the token holds the run_at of a retry.
        run_at = case
            when change_task.run_at is null or was = 'retrying' then t.run_at
            when change_task.run_at > now or t.run_at is not null then change_task.run_at
        end,
        payload = coalesce(change_task.payload, t.payload)
    where t.id = change_task.id;

    if exists (select from listener where channel = 'pgqueue_event' and expires_at > now) then
        perform announce(array[change_task.id]);
    end if;
end
$$;
