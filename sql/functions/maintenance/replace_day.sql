-- Drops the partitions of a day and puts small ones in their place that hold what must stay: every task that has not
-- ended, and the ended ones that kept_for() keeps or that others depend on. With nothing to stay, the day is gone.
-- Returns the number of tasks that stayed.
-- prune_day() calls it under its lock on the day: no task that has ended runs again meanwhile. See docs/adr for why
-- nothing is lost and nobody waits: what cannot change is copied first, without a lock that anyone waits for (waiting
-- tasks cannot start while their tokens are locked, and claims skip those); what runs is copied under the lock, which
-- takes a moment.
-- Raises PQ003 when a reader or a writer is in the way for longer than a moment: nothing has changed then, try again.
create or replace function pgqueue_private.replace_day(day date, usual boolean, others text[]) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    max_moving constant int := 10000;
    tries constant int := 5;
    suffix constant text := to_char(day, '_YYYYMMDD');
    low constant uuid := first_id_at(day::timestamp at time zone 'utc');
    high constant uuid := first_id_at((day + 1)::timestamp at time zone 'utc');
    reader record;
    still uuid[];                                   -- tasks that wait, and cannot move: their tokens are locked here
    moving uuid[];                                  -- tasks that run, or are about to
    awaited uuid[];                                 -- tasks that have ended, whose results are awaited
    fact record;
    kept bigint;
begin
    -- Never wait for a long reader: everyone who came later would wait behind this.
    select a.pid, a.xact_start, coalesce(nullif(a.application_name, ''), a.backend_type) as application into reader
    from pg_locks as l
    join pg_stat_activity as a on a.pid = l.pid
    where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid()
        and l.database = (select oid from pg_database where datname = current_database())
        and l.relation = any (array(select to_regclass('pgqueue_private.' || f.name)::oid from facts() as f))
        and a.xact_start < clock_timestamp() - interval '2 seconds'
    order by a.xact_start
    limit 1;
    if found then
        raise exception 'day % cannot be dropped: pid % (%) has been reading the tasks since %', day, reader.pid, reader.application, reader.xact_start
            using errcode = 'PQ003', hint = 'it is dropped once that transaction has ended';
    end if;

    for fact in select f.name, f.key, f.name || suffix || '_kept' as kept from facts() as f loop
        execute format('create table pgqueue_private.%I (like pgqueue_private.%I including all)', fact.kept, fact.name);
        -- A constraint that is known to hold, so that attaching the partition reads nothing.
        execute format(
            'alter table pgqueue_private.%I add constraint of_the_day check (%I >= %L and %I < %L)',
            fact.kept, fact.key, low, fact.key, high
        );
    end loop;

    still := array(
        select d.task_id from delayed as d where d.task_id >= low and d.task_id < high for update skip locked
    );
    still := still || array(
        select r.task_id from ready as r where r.task_id >= low and r.task_id < high for update skip locked
    );
    -- A separate statement, which sees where the tokens went that could not be locked.
    moving := array(
        select task_id
        from (
            select task_id from running union all select task_id from delayed union all select task_id from ready
        ) as token
        where task_id >= low and task_id < high
        except
        select unnest(still)
    );
    if cardinality(moving) > max_moving then
        raise exception 'day % cannot be dropped: % of its tasks are about to run', day, cardinality(moving)
            using errcode = 'PQ003', hint = 'it is dropped once they have ended';
    end if;

    awaited := array(
        select p.parent_id
        from delayed as d
        join dependency as p on p.child_id = d.task_id
        where d.status = 'blocked' and p.parent_id >= low and p.parent_id < high and p.parent_id <> all (moving)
    );
    execute format('insert into pgqueue_private.%I select t.* from task as t where t.id = any ($1)', 'task' || suffix || '_kept')
    using still || awaited;
    execute format(
        'insert into pgqueue_private.%I
        select t.* from task as t
        where t.id >= %L and t.id < %L and (t.queue = any ($1)) = $2 and t.id <> all ($3)
        on conflict do nothing',
        'task' || suffix || '_kept', low, high
    ) using others, usual, moving;
    -- This is an hour late or more: what ended before is past its retention in every queue that is not kept longer.
    execute format(
        'insert into pgqueue_private.%I
        select t.* from task as t
        where t.id >= %L and t.id < %L and t.id <> all ($2) and t.id = any (array(
            select a.task_id from attempt as a where a.task_id >= %L and a.task_id < %L and a.final and a.finished_at > $3
        )) and exists (
            select from attempt as a
            where a.task_id = t.id and a.final and a.finished_at > $1 - kept_for(t.queue, ''tasks'')
        )
        on conflict do nothing',
        'task' || suffix || '_kept', low, high, low, high
    ) using now, moving, id_time(high);
    for fact in select f.name, f.key, f.name || suffix || '_kept' as kept from facts() as f where f.name <> 'task' loop
        execute format(
            'insert into pgqueue_private.%I select f.* from %I as f join pgqueue_private.%I as t on t.id = f.%I where f.%I >= %L and f.%I < %L',
            fact.kept, fact.name, 'task' || suffix || '_kept', fact.key, fact.key, low, fact.key, high
        );
    end loop;

    for try in 1..tries loop
        exit when lock_facts(day);
        if try = tries then
            raise exception 'day % cannot be dropped: its tasks are being read without a pause', day
                using errcode = 'PQ003', hint = 'it is dropped as soon as there is a pause';
        end if;
        perform pg_sleep(0.5 + random());
    end loop;

    for fact in select f.name, f.key, f.name || suffix || '_kept' as kept from facts() as f loop
        execute format('insert into pgqueue_private.%I select f.* from %I as f where f.%I = any ($1)', fact.kept, fact.name, fact.key)
        using moving;
    end loop;
    execute format('select count(*) from pgqueue_private.%I', 'task' || suffix || '_kept') into kept;
    for fact in select f.name, f.name || suffix as day, f.name || suffix || '_kept' as kept from facts() as f loop
        execute format('alter table pgqueue_private.%I detach partition pgqueue_private.%I', fact.name, fact.day);
        execute format('drop table pgqueue_private.%I', fact.day);
        if kept = 0 then
            execute format('drop table pgqueue_private.%I', fact.kept);
        else
            execute format('alter table pgqueue_private.%I rename to %I', fact.kept, fact.day);
            execute format(
                'alter table pgqueue_private.%I attach partition pgqueue_private.%I for values from (%L) to (%L)', fact.name, fact.day, low, high
            );
            execute format('alter table pgqueue_private.%I drop constraint of_the_day', fact.day);
        end if;
    end loop;
    return kept;
end
$$;
