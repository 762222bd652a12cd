-- Folds the counts of batches into their rows, and ends the batches that have nothing left to run. Most have been
-- ended by the transaction that ended their last task; this is for those whose end no transaction saw. Returns how
-- many rows it folded. One caller at a time folds, and waits for nobody: a batch that is locked is folded the next
-- time, as is one around a batch that this call ended.
create or replace function pgqueue_private.fold_batches() returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    max_rows constant int := 20000;
    place uuid := '00000000-0000-0000-0000-000000000000';
    folded int := 0;
    n int;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('pgqueue:fold_batches', 0)) then
        return 0;
    end if;
    while folded < max_rows loop
        select d.batch_id into place from batch_delta as d where d.batch_id > place order by d.batch_id limit 1;
        exit when not found;
        continue when not pg_try_advisory_xact_lock(hashtextextended('pgqueue:batch:end:' || place, 0));
        perform from batch as b where b.id = place for update skip locked;
        continue when not found;
        with taken as (
            select d.ctid as at from batch_delta as d where d.batch_id = place limit max_rows for update skip locked
        ),
        gone as (
            delete from batch_delta as d where d.ctid = any (array(select at from taken)) returning d.*
        ),
        added as (
            select
                count(*) as n, sum(total) as total, sum(completed) as completed, sum(failed) as failed, sum(cancelled) as cancelled,
                sum(batches) as batches, sum(batches_ended) as batches_ended, sum(batches_failed) as batches_failed
            from gone
        ),
        kept as (
            update batch as b set
                total = b.total + a.total, completed = b.completed + a.completed, failed = b.failed + a.failed,
                cancelled = b.cancelled + a.cancelled, batches = b.batches + a.batches,
                batches_ended = b.batches_ended + a.batches_ended, batches_failed = b.batches_failed + a.batches_failed
            from added as a
            where b.id = place and a.n > 0
        )
        select a.n into n from added as a;
        folded := folded + n;
        perform end_batch(place);
    end loop;
    return folded;
end
$$;
