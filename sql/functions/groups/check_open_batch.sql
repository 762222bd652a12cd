-- Raises PQ002 or PQ003 unless tasks can be added to a batch. Closing the batch then waits for this transaction.
create or replace function pgqueue_private.check_open_batch(id uuid) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    known record;
begin
    perform pg_advisory_xact_lock_shared(hashtextextended('pgqueue:batch:add:' || id, 0));
    select b.closed_at into known from batch as b where b.id = check_open_batch.id;
    if not found then
        raise exception 'there is no batch %', id using errcode = 'PQ002';
    elsif known.closed_at is not null then
        raise exception 'batch % is closed', id
            using errcode = 'PQ003', hint = 'nothing can be added to it any more: create another batch, inside an open one if needed';
    end if;
end
$$;
