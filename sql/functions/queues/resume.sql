-- Lets the tasks of a paused queue start again, at once. Raises PQ002 when there is no such queue.
create or replace function pgqueue.resume(queue text) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if not exists (select from queue as q where q.name = resume.queue) then
        raise exception 'there is no queue %', to_json(resume.queue) using errcode = 'PQ002', hint = 'select name from pgqueue.queues';
    end if;
    perform patch_queue(resume.queue, '{"paused": false}');
    perform ring(array[resume.queue]);
end
$$;

comment on function pgqueue.resume is 'Lets the tasks of a paused queue start again.';
