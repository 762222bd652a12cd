-- Lets the tasks of a paused queue start again, at once.
create or replace function pgqueue.resume(queue text) returns void
language sql
as $$
    select pgqueue.patch_queue(resume.queue, '{"paused": false}');
    select pgqueue.ring(array[resume.queue])
$$;
