-- Closes a batch: nothing more can be added, and it ends when everything in it has ended, or at once if that is
-- already so. Waits for transactions that add to it. Returns its status after the call, null where there is no such
-- batch; closing it again changes nothing.
create or replace function pgqueue.close_batch(id uuid) returns text
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    status text;
begin
    perform pg_advisory_xact_lock(hashtextextended('pgqueue:batch:add:' || id, 0));
    update batch as b set closed_at = pgqueue.clock() where b.id = close_batch.id and b.closed_at is null;
    if found then
        perform end_batches(array[id]);
        if exists (select from listener as l where l.channel = 'pgqueue_event' and l.expires_at > pgqueue.clock()) then
            perform announce(array[id]);
        end if;
    end if;
    select v.status into status from batches as v where v.id = close_batch.id;
    return status;
end
$$;

comment on function pgqueue.close_batch is
    'Closes a batch, so that it ends when everything in it has ended, and returns its status; null: there is no such '
    'batch.';
