-- Starts an operation over many tasks and returns its id: redrive and delete work on the dead letters that exist now,
-- cancel on the tasks that have not ended. It runs in parts on any supervisor, at most per_second tasks a second, and
-- survives the crash of any process. Raises PQ004 for values that are not valid, PQ003 while 100 other operations
-- have not ended.
create or replace function pgqueue.start_operation(
    kind text, filter jsonb, per_second float8 default 100, reason text default null, requested_by text default null
) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    -- Before anything is counted: what comes meanwhile is neither counted nor worked on.
    now constant timestamptz := pgqueue.clock();
    wanted constant jsonb := operation_filter(kind, filter);
    found_now record;
    id uuid;
begin
    if per_second is null or not per_second between 0.1 and 2000 then
        raise exception '% a second is out of range', per_second using errcode = 'PQ004', hint = 'it is 0.1 to 2000';
    end if;
    if (select count(*) from operation as o where o.state in ('queued', 'running')) >= 100 then
        raise exception '100 operations have not ended' using errcode = 'PQ003', hint = 'wait for them, or cancel some';
    end if;
    select * into found_now from count_operation(kind, wanted, now, 50000);
    id := new_id(id_bits(now), 0);
    insert into operation (id, kind, filter, per_second, matched, matched_exact, reason, requested_by, created_at, next_at)
    values (
        id, kind, wanted, per_second, found_now.count, found_now.exact, left(reason, 1000),
        left(coalesce(requested_by, session_user), 200), now, now
    );
    return id;
end
$$;

comment on function pgqueue.start_operation is
    'Starts to redrive, delete, cancel or retry all tasks that a filter matches, at most per_second a second, and'
    ' returns the id of the operation.';
