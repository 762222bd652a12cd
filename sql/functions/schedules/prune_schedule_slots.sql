-- Deletes slots a week after their fate was decided, the oldest first, at most max_rows of them, and returns how
-- many. A schedule's row keeps what it did last.
create or replace function pgqueue_private.prune_schedule_slots(max_rows int default 5000) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    pruned int;
begin
    delete from schedule_slot as l where l.ctid = any (array(
        select o.ctid from schedule_slot as o
        where o.at < now - interval '7 days' and o.fate <> 'waiting'
        order by o.at
        limit max_rows
        for update skip locked
    ));
    get diagnostics pruned = row_count;
    return pruned;
end
$$;
