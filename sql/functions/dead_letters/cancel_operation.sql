-- Stops an operation after the part that runs now, and returns its state after the call. What is done stays done; an
-- operation that has ended does not change. Returns null when there is no such operation.
create or replace function pgqueue.cancel_operation(id uuid) returns text
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    now_in text;
begin
    update operation as o set state = 'cancelled', finished_at = pgqueue.clock()
    where o.id = cancel_operation.id and o.state in ('queued', 'running');
    if found then
        perform announce(array[cancel_operation.id]);
    end if;
    select o.state into now_in from operation as o where o.id = cancel_operation.id;
    return now_in;
end
$$;

comment on function pgqueue.cancel_operation is
    'Stops an operation and returns its state; what is done stays done; null: there is no such operation.';
