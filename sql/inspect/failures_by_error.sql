-- What went wrong with tasks created in the last 24 hours, the most frequent first, with one task to look at.
select
    count(*) as attempts,
    count(*) filter (where a.final) as final,
    max(a.finished_at) as latest,
    t.type,
    a.outcome,
    a.error ->> 'type' as error,
    left(a.error ->> 'message', 80) as message,
    (array_agg(a.task_id order by a.finished_at desc))[1] as latest_id
from pgqueue.attempt as a
inner join pgqueue.task as t on t.id = a.task_id
where
    a.task_id >= pgqueue.first_id_at(pgqueue.clock() - interval '24 hours')
    and a.outcome in ('failed', 'timed_out', 'crashed')
group by t.type, a.outcome, a.error ->> 'type', left(a.error ->> 'message', 80)
order by attempts desc
limit 50;
