-- What fails, of the tasks created in the last 24 hours: attempts by type and error, with one task to look at.
select
    t.type, a.outcome, a.error ->> 'type' as error, left(regexp_replace(a.error ->> 'message', '[0-9]+', 'N', 'g'), 100) as message,
    count(*) as attempts, count(*) filter (where a.final) as final, max(a.finished_at) as last_at,
    (array_agg(a.task_id order by a.finished_at desc))[1] as task_id
from pgqueue_private.attempt as a
join pgqueue_private.task as t on t.id = a.task_id
where a.outcome in ('failed', 'timed_out', 'crashed')
    and a.task_id >= pgqueue_private.first_id_at(pgqueue.clock() - interval '1 day')
    and t.id >= pgqueue_private.first_id_at(pgqueue.clock() - interval '1 day')
group by 1, 2, 3, 4
order by attempts desc
limit 50;
