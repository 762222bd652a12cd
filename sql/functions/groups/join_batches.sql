-- Counts new tasks in their batches. Raises PQ002 where there is no such batch, PQ003 where it is closed. Closing an
-- open batch waits for this transaction.
create or replace function pgqueue_private.join_batches(ids uuid[]) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    joined record;
begin
    for joined in
        select t.batch_id, count(*) as n
        from task as t
        where t.id = any (ids) and t.id >= ids[1] and t.batch_id is not null
        group by t.batch_id
        order by t.batch_id
    loop
        perform check_open_batch(joined.batch_id);
        insert into batch_delta (batch_id, total) values (joined.batch_id, joined.n);
    end loop;
end
$$;
