-- Publishes the types that an app knows, and their queues, so that the API can check payloads without the app's code.
-- Each element: name, queue, max_attempts, retry, timeout_s, description, payload_schema, result_schema, and
-- queue_settings: the first settings of a queue that is created here, as patch_queue takes them. An existing queue
-- keeps its settings.
create or replace function pgqueue_private.publish_types(types jsonb) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    made record;
begin
    if exists (select from jsonb_array_elements(types) as t where not retry_fits(nullif(t -> 'retry', 'null'))) then
        raise exception 'the retry of a type must be a retry policy'
            using errcode = 'PQ004', hint = 'such as {"kind": "exponential", "base_s": 1, "cap_s": 3600, "jitter": "equal"}';
    end if;
    insert into task_type as known (
        name, queue, max_attempts, retry, timeout_s, description, payload_schema, result_schema, updated_at
    )
    select t.name, t.queue, t.max_attempts, t.retry, t.timeout_s, t.description, t.payload_schema, t.result_schema, now
    from jsonb_to_recordset(types) as t (
        name text, queue text, max_attempts smallint, retry jsonb, timeout_s real, description text,
        payload_schema jsonb, result_schema jsonb
    )
    order by t.name
    on conflict (name) do update set
        queue = excluded.queue, max_attempts = excluded.max_attempts, retry = excluded.retry, timeout_s = excluded.timeout_s,
        description = excluded.description, payload_schema = excluded.payload_schema,
        result_schema = excluded.result_schema, updated_at = excluded.updated_at
    where (
        known.queue, known.max_attempts, known.retry, known.timeout_s, known.description, known.payload_schema, known.result_schema
    ) is distinct from (
        excluded.queue, excluded.max_attempts, excluded.retry, excluded.timeout_s, excluded.description,
        excluded.payload_schema, excluded.result_schema
    );

    for made in
        with fresh as (
            insert into queue (name, created_at)
            select distinct t ->> 'queue', now from jsonb_array_elements(types) as t
            order by 1
            on conflict do nothing
            returning name
        )
        select distinct on (f.name) f.name, t -> 'queue_settings' as settings
        from fresh as f
        join jsonb_array_elements(types) as t on t ->> 'queue' = f.name and jsonb_typeof(t -> 'queue_settings') = 'object'
        order by f.name, t ->> 'name'
    loop
        perform patch_queue(made.name, made.settings);
    end loop;
    perform pg_notify('pgqueue_control', 'types');
end
$$;
