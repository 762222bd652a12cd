-- Makes new tasks with a limit_key runnable as far as their keys have room. The others wait as blocked, where claims
-- do not see them. Returns the queues in which some are runnable.
create or replace function pgqueue_private.place_keyed(ids uuid[]) returns text[]
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    queues text[];
begin
    with keyed as materialized (
        select t.id, t.seq, t.created_at, t.priority, t.max_attempts, t.queue, t.type, t.limit_key, t.fairness_key, t.user_id
        from task as t
        where t.id = any (ids) and t.id >= ids[1] and t.limit_key is not null
    ),
    rooms as materialized (
        select d.queue, d.limit_key, key_room(d.queue, d.limit_key) as n
        from (select distinct k.queue, k.limit_key from keyed as k where k.seq is not null) as d
    ),
    placed as materialized (
        select k.*, coalesce(row_number() over (partition by k.queue, k.limit_key order by k.priority, k.id) <= r.n, true) as fits
        from keyed as k
        join rooms as r on r.queue = k.queue and r.limit_key = k.limit_key
        where k.seq is not null
    ),
    known as (
        insert into keyed_queue (queue)
        select distinct k.queue from keyed as k where not exists (select from keyed_queue as q where q.queue = k.queue)
    ),
    runnable as (
        insert into ready (seq, task_id, ready_at, priority, budget, queue, type, fairness_key, limit_key)
        select
            p.seq, p.id, p.created_at, p.priority, p.max_attempts, p.queue, p.type,
            case when p.queue = any (array(select q.name from queue as q where q.fairness is not null))
                then coalesce(p.fairness_key, p.user_id::text)
            end,
            p.limit_key
        from placed as p
        where p.fits
    ),
    held as (
        insert into delayed (task_id, run_at, priority, budget, queue, type, status, limit_key, seq)
        select p.id, 'infinity', p.priority, p.max_attempts, p.queue, p.type, 'blocked', p.limit_key, p.seq
        from placed as p
        where not p.fits
    )
    select coalesce(array_agg(distinct p.queue) filter (where p.fits), '{}') into queues from placed as p;
    return queues;
end
$$;
