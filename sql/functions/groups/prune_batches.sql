-- Deletes batches that ended more than 30 days ago, at most max_batches, and returns how many. A batch inside another
-- stays as long as that one.
create or replace function pgqueue_private.prune_batches(max_batches int default 1000) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    pruned int;
begin
    with old as (
        select b.id
        from batch as b
        left join batch as above on above.id = b.parent_id
        where b.ended_at < pgqueue.clock() - interval '30 days' and above.id is null
        limit max_batches
    )
    delete from batch as b where b.id = any (array(select id from old));
    get diagnostics pruned = row_count;
    return pruned;
end
$$;
