-- Stores tasks, all or none, in the caller's transaction, and returns their ids in the order given.
-- Each element is a task_input: it needs a type; run_at or delay_s and expires_at or expires_in_s are given, not both;
-- dedup_key is stored but not checked; for depends_on see tie_tasks(). A task in a batch raises PQ003 unless its batch
-- is open. A value out of range raises PQ004.
-- Values that are not given come from the type as its workers published it, and max_attempts then from the queue.
-- Tasks with a limit_key wait as blocked, where claims do not see them, if their key has no room. Does not ring the
-- doorbell: see ring().
create or replace function pgqueue.enqueue_many(
    tasks jsonb, user_id bigint default 0, out ids uuid[], out created_at timestamptz, out queues text[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    owner constant bigint := user_id;
    bits constant bigint := id_bits(now);
    first_place constant bigint := nextval('pgqueue_private.ready_seq');  -- the sequence steps by a hundred thousand
    wrong text[];                                   -- the first value that is out of range: task, name, range
    later boolean;
    keyed boolean;
    expires boolean;
    joins boolean;
    dependents uuid[];                              -- tasks that depend on others
begin
    if jsonb_array_length(tasks) > 100000 then
        raise exception '% tasks are too many for one call', jsonb_array_length(tasks)
            using errcode = 'PQ004', hint = 'enqueue at most 100,000 at a time';
    end if;
    -- The day of the clock is missing, too, when the clock has gone back over midnight, as after a failover.
    if to_regclass('pgqueue_private.task' || to_char(now at time zone 'utc', '_YYYYMMDD')) is null
        or to_regclass('pgqueue_private.task' || to_char((now + interval '1 hour') at time zone 'utc', '_YYYYMMDD')) is null
    then
        perform ensure_partitions((now at time zone 'utc')::date, 2);
    end if;

    with fact as (
        insert into task (
            id, created_at, run_at, user_id, seq, timeout_s, priority, max_attempts, queue, type, payload, traceparent,
            expires_at, retry, dedup_key, limit_key, cost, fairness_key, batch_id, callback_url,
            tags
        )
        select
            new_id(bits, i.ordinality), now, i.starts_at, owner,
            case when i.starts_at > now or i.depends_on <> '[]' then null else first_place + i.ordinality - 1 end,
            i.timeout_s,
            coalesce(i.priority, 5::smallint),
            coalesce(
                i.max_attempts,
                t.max_attempts,
                (
                    -- Read once a call, and nearly always null: queues without settings cost a task nothing.
                    (select jsonb_object_agg(q.name, q.max_attempts) from queue as q where q.max_attempts is not null)
                    ->> coalesce(i.queue, t.queue, 'default')
                )::smallint,
                3::smallint
            ),
            coalesce(i.queue, t.queue, 'default'),
            i.type, coalesce(i.payload, no_payload(tasks, i.ordinality)), i.traceparent,
            coalesce(i.expires_at, now + i.expires_in_s * interval '1 second'),
            i.retry, i.dedup_key, i.limit_key, i.cost, i.fairness_key, i.batch_id, i.callback_url, i.tags
        from (
            select *, coalesce(given.run_at, now + given.delay_s * interval '1 second') as starts_at
            from rows from (jsonb_populate_recordset(null::task_input, tasks)) with ordinality as given
        ) as i
        left join (
            -- Always true, but the planner expects few rows: so it hashes the types, not the tasks.
            select * from task_type as known where known.name || '' = known.name
        ) as t on t.name = i.type
        returning
            id, run_at, seq, timeout_s, priority, max_attempts, queue, type, expires_at, retry, limit_key, cost,
            fairness_key, batch_id, callback_url, tags
    ),
    runnable as (
        insert into ready (seq, task_id, ready_at, priority, budget, queue, type, fairness_key)
        select
            seq, id, now, priority, max_attempts, queue, type,
            case when queue = any (array(select q.name from queue as q where q.fairness is not null)) then coalesce(fairness_key, owner::text) end
        from fact
        where seq is not null and limit_key is null
    ),
    waiting as (
        insert into delayed (task_id, run_at, priority, budget, queue, type, status)
        select id, coalesce(run_at, 'infinity'), priority, max_attempts, queue, type, 'scheduled'
        from fact
        where seq is null
    )
    select
        coalesce(array_agg(id order by id), '{}'),
        now,
        coalesce(array_agg(distinct queue) filter (where seq is not null and limit_key is null), '{}'),
        -- Checked here and not in constraints: every insert reads those from the catalogue again.
        -- NaN and infinite seconds compare as more than any number.
        min(case
            when length(type) not between 1 and 100 then array[id::text, 'type', '1 to 100 characters']
            when length(queue) not between 1 and 100 then array[id::text, 'queue', '1 to 100 characters']
            when priority not between 0 and 10 then array[id::text, 'priority', '0 (first) to 10 (last)']
            when max_attempts not between 1 and 1000 then array[id::text, 'max_attempts', '1 to 1000']
            when timeout_s <= 0 or timeout_s > 1e9 then array[id::text, 'timeout_s', 'more than 0 and at most 1e9']
            when run_at < 'epoch' or run_at >= '9999-01-01 00:00Z' then array[id::text, 'run_at', 'in the years 1970 to 9998']
            when expires_at < 'epoch' or expires_at >= '9999-01-01 00:00Z'
                then array[id::text, 'expires_at', 'in the years 1970 to 9998']
            when retry is not null and not retry_fits(retry)
                then array[id::text, 'retry', 'a policy such as {"kind": "exponential", "base_s": 1}']
            when length(limit_key) not between 1 and 255 then array[id::text, 'limit_key', '1 to 255 characters']
            when cost < 1 then array[id::text, 'cost', '1 or more']
            when length(fairness_key) not between 1 and 255 then array[id::text, 'fairness_key', '1 to 255 characters']
            when callback_url is not null and not url_fits(callback_url)
                then array[id::text, 'callback_url', 'of http or https, in plain ASCII']
            when
                tags is not null and (
                    cardinality(tags) > 20 or array_ndims(tags) > 1
                    or exists (select from unnest(tags) as tag where length(tag) between 1 and 100 is not true)
                )
                then array[id::text, 'tags', 'up to 20 texts of 1 to 100 characters']
        end),
        count(seq) < count(*),
        count(limit_key) > 0,
        count(expires_at) > 0,
        count(batch_id) > 0
    into ids, created_at, queues, wrong, later, keyed, expires, joins
    from fact;

    if wrong is not null then
        raise exception '% of task % is out of range: %', wrong[2], array_position(ids, wrong[1]::uuid) - 1, (
            select to_json(left(to_jsonb(t) ->> wrong[2], 60)) from task as t where t.id = wrong[1]::uuid
        ) using errcode = 'PQ004', hint = wrong[2] || ' is ' || wrong[3];
    end if;

    -- What few tasks have gets statements of its own: in the one above it would cost each call the time of many tasks.
    if keyed then
        queues := queues || place_keyed(ids);
    end if;
    if expires then
        insert into expiry (expires_at, task_id)
        select t.expires_at, t.id from task as t where t.id = any (ids) and t.id >= ids[1] and t.expires_at is not null;
    end if;
    if joins then
        perform join_batches(ids);
    end if;
    if later then
        dependents := array(
            select ids[e.n]
            from jsonb_array_elements(tasks) with ordinality as e (task, n)
            where e.task -> 'depends_on' not in ('[]', 'null')
        );
        if dependents <> '{}' then
            update delayed as d set run_at = 'infinity', status = 'blocked' where d.task_id = any (dependents);
            perform tie_tasks(tasks, ids);
        end if;
    end if;
end
$$;

comment on function pgqueue.enqueue_many is
    'Enqueues tasks, all or none, in the caller''s transaction, from a JSON array of objects with the arguments of '
    'enqueue(), and returns their ids in the order given; ignores dedup_key.';
