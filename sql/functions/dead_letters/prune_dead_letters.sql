-- Deletes dead letters whose retention has passed, at most some thousands of each queue. Returns how many: call again
-- until it returns 0.
create or replace function pgqueue_private.prune_dead_letters(max_dead_letters int default 5000) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    pruned bigint;
begin
    with old as (
        select l.at
        from dead_letter_queues() as q
        cross join lateral (
            select d.ctid as at from dead_letter as d
            where d.queue = q.queue and d.failed_at < now - q.retention
            order by d.failed_at
            limit max_dead_letters
            for update skip locked
        ) as l
    )
    delete from dead_letter as d where d.ctid = any (array(select at from old));
    get diagnostics pruned = row_count;
    return pruned;
end
$$;
