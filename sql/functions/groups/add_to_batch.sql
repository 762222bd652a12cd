-- Enqueues tasks as part of a batch and returns their ids in the order given. Raises PQ002 where there is no such
-- batch, PQ003 where it is closed. Closing it waits for this transaction.
create or replace function pgqueue.add_to_batch(id uuid, tasks jsonb) returns uuid[]
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    owner bigint;
    members jsonb;
    stored record;
begin
    perform check_open_batch(id);
    select b.user_id into owner from batch as b where b.id = add_to_batch.id;
    select coalesce(jsonb_agg(e.task || jsonb_build_object('batch_id', id) order by e.n), '[]') into members
    from jsonb_array_elements(tasks) with ordinality as e (task, n);
    if jsonb_path_exists(members, '$[*].dedup_key') then
        select u.ids, u.queues into stored from enqueue_unique(members, owner) as u;
    else
        select m.ids, m.queues into stored from enqueue_many(members, owner) as m;
    end if;
    perform ring(stored.queues);
    return stored.ids;
end
$$;

comment on function pgqueue.add_to_batch is
    'Enqueues tasks as part of an open batch and returns their ids in the order given.';
