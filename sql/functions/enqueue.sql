-- Enqueues one task in the caller's transaction and returns its id. Once that commits the task is durable;
-- if it rolls back there never was one. Rings the doorbell only while an idle worker waits.
create or replace function pgqueue.enqueue(
    type text,
    payload jsonb default '{}',
    queue text default null,
    priority int default null,
    run_at timestamptz default null,
    max_attempts int default null,
    timeout_s float8 default null,
    retry jsonb default null
) returns uuid
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
as $$
declare
    stored record;
begin
    if type is null then
        raise exception 'type is null' using errcode = 'PQ004', hint = 'name the type of the task';
    end if;
    select * into stored from enqueue_many(jsonb_build_array(jsonb_build_object(
        'type', type, 'payload', payload, 'queue', queue, 'priority', priority, 'run_at', run_at,
        'max_attempts', max_attempts, 'timeout_s', timeout_s, 'retry', retry
    )));
    perform ring(stored.queues);
    return stored.ids[1];
end
$$;
