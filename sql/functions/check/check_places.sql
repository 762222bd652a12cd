-- Every task is in exactly one state: it is ready, delayed or running, or it has ended. Its token agrees with its
-- fact.
create or replace function pgqueue_private.check_places()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    with token as (
        select r.task_id, 'ready' as place, r.queue, r.type, r.attempt, r.budget, r.crashes from pgqueue_private.ready as r
        union all
        select d.task_id, 'delayed', d.queue, d.type, d.attempt, d.budget, d.crashes from pgqueue_private.delayed as d
        union all
        select r.task_id, 'running', r.queue, r.type, r.attempt - 1, r.budget, r.crashes from pgqueue_private.running as r
    ),
    misplaced as (
        select p.id, p.places from pgqueue_private.task_places() as p where p.places > 1 or (p.places = 0 and not p.ended)
    )
    select
        'places', m.id::text,
        case
            when m.places = 0 then 'is nowhere: it does not wait, does not run and has not ended'
            else 'is in ' || m.places || ' places: '
                || (select string_agg(k.place, ', ' order by k.place) from token as k where k.task_id = m.id)
        end
    from misplaced as m
    union all
    select 'places', k.task_id::text, 'is ' || k.place || ', but there is no such task'
    from token as k
    left join pgqueue_private.task as t on t.id = k.task_id
    where t.id is null
    union all
    select 'places', k.task_id::text, 'is ' || k.place || ' in queue ' || k.queue || ', but is a task of queue ' || t.queue
    from token as k
    join pgqueue_private.task as t on t.id = k.task_id
    where k.queue <> t.queue
    union all
    select 'places', k.task_id::text, 'is ' || k.place || ' as a task of type ' || k.type || ', but is one of type ' || t.type
    from token as k
    join pgqueue_private.task as t on t.id = k.task_id
    where k.type <> t.type
    union all
    select 'places', k.task_id::text, 'is ' || k.place || ' after ' || k.attempt || ' starts, but may start only ' || k.budget || ' times'
    from token as k
    where k.attempt not between 0 and k.budget - 1
    union all
    select 'places', k.task_id::text, 'is ' || k.place || ' after ' || k.crashes || ' crashes, but the third crash ends a task'
    from token as k
    where k.crashes not between 0 and 2
    union all
    -- A fresh token can be found only by the seq in its fact.
    select 'places', r.task_id::text, 'is ready at another position than its task''s, where nobody finds it'
    from pgqueue_private.ready as r
    join pgqueue_private.task as t on t.id = r.task_id
    where not r.requeued and (r.priority, r.seq) is distinct from (t.priority, t.seq)
    union all
    select 'places', r.task_id::text, 'has ended and is ready again at its first position'
    from pgqueue_private.ready as r
    join pgqueue_private.attempt as a on a.task_id = r.task_id and a.final
    where not r.requeued
    union all
    select 'places', d.task_id::text, 'is blocked, but neither by a limit_key nor by other tasks'
    from pgqueue_private.delayed as d
    left join pgqueue_private.blocker as b on b.child_id = d.task_id
    where d.status = 'blocked' and d.limit_key is null and b.child_id is null
    union all
    select 'places', d.task_id::text, 'waits for its limit_key, but with status ' || d.status || ' or without a position'
    from pgqueue_private.delayed as d
    where d.limit_key is not null and (d.seq is null or d.status <> 'blocked')
    union all
    select 'places', t.id::text, 'expires at ' || t.expires_at || ', but its expiry is not tracked'
    from pgqueue_private.task as t
    join token as k on k.task_id = t.id and k.attempt = 0 and k.place <> 'running'
    left join pgqueue_private.expiry as e on e.task_id = t.id
    where t.expires_at > pgqueue.clock() and e.task_id is null
$$;
