-- Drops the months of the audit trail that ended so many days ago, and returns how many.
create or replace function pgqueue_private.prune_audit(keep_days float8) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    month record;
    dropped int := 0;
begin
    for month in
        select c.relname as name
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'pgqueue_private.audit'::regclass
            and (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') at time zone 'utc'
            < pgqueue.clock() - keep_days * interval '1 day'
    loop
        execute format('drop table pgqueue_private.%I', month.name);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
