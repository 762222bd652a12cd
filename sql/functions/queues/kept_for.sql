-- How long tasks, events or artifacts are kept in a queue after their end: as the queue says, otherwise tasks for 7
-- days and the others for as long as their tasks.
create or replace function pgqueue_private.kept_for(queue text, what text) returns interval
language sql stable
as $$
    select coalesce(
        (
            select coalesce(q.retention ->> (what || '_s'), q.retention ->> 'tasks_s')::float8 * interval '1 second'
            from pgqueue_private.queue as q
            where q.name = kept_for.queue
        ),
        '7 days'
    )
$$;
