-- What failed for good, by kind of failure: how many, since when, in which queues, and the latest as an example.
select
    d.fingerprint, d.type, d.error ->> 'type' as error, left(d.error ->> 'message', 80) as message, d.error ->> 'frame' as frame,
    g.n as dead_letters, g.queues, g.first_failed_at, d.failed_at as last_failed_at, d.id as example_id
from (
    select
        fingerprint, count(*) as n, array_agg(distinct queue) as queues, min(failed_at) as first_failed_at,
        (array_agg(id order by failed_at desc))[1] as example_id
    from pgqueue.dead_letters
    group by fingerprint
) as g
join pgqueue.dead_letters as d on d.id = g.example_id
order by g.n desc, d.failed_at desc
limit 50;
