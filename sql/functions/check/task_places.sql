-- Each task with its state: in how many of ready, delayed and running it has a token, one of these, and its newest
-- attempt. It has ended if it has no token and that attempt was final. It is inlined into the calling query, so it
-- has no settings.
create or replace function pgqueue_private.task_places()
returns table (
    id uuid, queue text, type text, batch_id uuid, created_at timestamptz, max_attempts smallint, places bigint, place text,
    lease_id bigint, attempt smallint, final boolean, outcome text, finished_at timestamptz, ended boolean
)
language sql stable
as $$
    select
        t.id, t.queue, t.type, t.batch_id, t.created_at, t.max_attempts, coalesce(token.n, 0), token.place,
        last.lease_id, last.attempt, last.final, last.outcome, last.finished_at, token.n is null and coalesce(last.final, false)
    from pgqueue_private.task as t
    left join (
        select k.task_id, count(*) as n, min(k.place) as place
        from (
            select r.task_id, 'ready' as place from pgqueue_private.ready as r
            union all
            select d.task_id, 'delayed' from pgqueue_private.delayed as d
            union all
            select r.task_id, 'running' from pgqueue_private.running as r
        ) as k
        group by k.task_id
    ) as token on token.task_id = t.id
    left join (
        select distinct on (a.task_id) a.task_id, a.lease_id, a.attempt, a.final, a.outcome, a.finished_at
        from pgqueue_private.attempt as a
        order by a.task_id desc, a.lease_id desc  -- the order of the index, backwards
    ) as last on last.task_id = t.id
$$;
