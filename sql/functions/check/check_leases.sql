-- A running task has one lease, the newest, which no other task has or had; and its row in running agrees with the
-- task.
create or replace function pgqueue_private.check_leases()
returns table (topic text, subject text, detail text)
language sql stable
as $$
    with lease as (
        select r.task_id, r.lease_id from pgqueue_private.running as r
        union all
        select a.task_id, a.lease_id from pgqueue_private.attempt as a
    )
    select 'leases', l.lease_id::text, 'was issued to ' || count(*) || ' attempts, of tasks ' || string_agg(distinct l.task_id::text, ', ')
    from lease as l
    group by l.lease_id
    having count(*) > 1
    union all
    select 'leases', l.lease_id::text, 'was never issued, but task ' || l.task_id || ' has it'
    from lease as l
    where l.lease_id > (select s.last_value from pgqueue_private.lease_seq as s)
    union all
    select 'leases', r.lease_id::text, 'runs task ' || r.task_id || ', whose later lease ' || max(a.lease_id) || ' has ended'
    from pgqueue_private.running as r
    join pgqueue_private.attempt as a on a.task_id = r.task_id and a.lease_id > r.lease_id
    group by r.lease_id, r.task_id
    union all
    select 'leases', r.lease_id::text, 'runs task ' || r.task_id || ' on worker ' || r.worker_id || ', which does not exist'
    from pgqueue_private.running as r
    left join pgqueue_private.worker as w on w.id = r.worker_id
    where w.id is null
    union all
    select 'leases', r.lease_id::text, 'runs task ' || r.task_id || ', but its type, limit_key, cost or batch is not that of the task'
    from pgqueue_private.running as r
    join pgqueue_private.task as t on t.id = r.task_id
    where (r.type, r.limit_key, r.cost, r.batch_id) is distinct from (t.type, t.limit_key, t.cost, t.batch_id)
    union all
    select 'leases', r.lease_id::text, 'runs task ' || r.task_id || ', but its end will not be followed up'
    from pgqueue_private.running as r
    join pgqueue_private.task as t on t.id = r.task_id
    where not r.followed and (t.followed or t.batch_id is not null or t.callback_url is not null)
$$;
