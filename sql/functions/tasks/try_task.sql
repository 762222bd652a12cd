-- Returns what is wrong with a task, null if it could be enqueued: it enqueues the task and takes that back.
create or replace function pgqueue_private.try_task(task jsonb, user_id bigint) returns text
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    wrong text;
begin
    perform enqueue_many(jsonb_build_array(task), user_id);
    raise sqlstate 'PQTRY';
exception
    when sqlstate 'PQTRY' then
        return null;
    when sqlstate 'PQ004' then
        get stacked diagnostics wrong = pg_exception_hint;
        return wrong;
end
$$;
