-- Enqueues one task in the caller's transaction and returns its id. Once that commits the task is durable; if it
-- rolls back, the task never existed. Rings the doorbell only while an idle worker waits.
-- With depends_on, the task waits for these tasks; on_failure (cancel, run or fail) says what happens to it when one
-- of them does not complete. With a dedup_key it may return another task's id instead, or raise PQ003: see
-- enqueue_unique.
create or replace function pgqueue.enqueue(
    type text,
    payload jsonb default '{}',
    queue text default null,
    priority int default null,
    run_at timestamptz default null,
    max_attempts int default null,
    timeout_s float8 default null,
    retry jsonb default null,
    dedup_key text default null,
    dedup_scope text default null,
    dedup_statuses text[] default null,
    dedup_window_s float8 default null,
    on_conflict text default null,
    expires_at timestamptz default null,
    fairness_key text default null,
    limit_key text default null,
    cost int default null,
    callback_url text default null,
    tags text[] default null,
    batch_id uuid default null,
    depends_on uuid[] default null,
    on_failure text default 'cancel'
) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
set extra_float_digits = 1  -- seconds pass through JSON, which a caller's setting would round
as $$
declare
    task jsonb;
    wrong text[];                                   -- the first value that is out of range: name, value, range
    stored record;
begin
    if type is null then
        raise exception 'type must not be null' using errcode = 'PQ004', hint = 'name the type of the task';
    end if;
    -- enqueue_many checks all values, but these may be too large for their columns.
    wrong := case
        when priority not between 0 and 10 then array['priority', priority::text, '0 (first) to 10 (last)']
        when max_attempts not between 1 and 1000 then array['max_attempts', max_attempts::text, '1 to 1000']
        when cost not between 1 and 32767 then array['cost', cost::text, '1 to 32767']
    end;
    if wrong is not null then
        raise exception '% of task 0 is out of range: %', wrong[1], wrong[2]
            using errcode = 'PQ004', hint = wrong[1] || ' is ' || wrong[3];
    end if;
    task := jsonb_build_object(
        'type', type, 'payload', coalesce(payload, '{}'), 'queue', queue, 'priority', priority, 'run_at', run_at,
        'max_attempts', max_attempts, 'timeout_s', timeout_s, 'retry', retry, 'expires_at', expires_at,
        'fairness_key', fairness_key, 'limit_key', limit_key, 'cost', cost, 'callback_url', callback_url, 'tags', tags,
        'batch_id', batch_id
    );
    if depends_on is not null then
        task := task || jsonb_build_object('depends_on', (
            select coalesce(jsonb_agg(jsonb_build_object('task', d, 'on_failure', on_failure)), '[]') from unnest(depends_on) as d
        ));
    end if;
    if num_nonnulls(dedup_key, dedup_scope, dedup_statuses, dedup_window_s, on_conflict) = 0 then
        select * into stored from enqueue_many(jsonb_build_array(task));
    else
        select * into stored from enqueue_unique(jsonb_build_array(task || jsonb_build_object(
            'dedup_key', dedup_key, 'dedup_scope', dedup_scope, 'dedup_statuses', dedup_statuses,
            'dedup_window_s', dedup_window_s, 'on_conflict', on_conflict
        )));
    end if;
    perform ring(stored.queues);
    return stored.ids[1];
end
$$;

comment on function pgqueue.enqueue is
    'Enqueues a task in the caller''s transaction and returns its id; null stands for what its type, its queue or '
    'pgqueue says.';
