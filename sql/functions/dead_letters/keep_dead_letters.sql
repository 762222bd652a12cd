-- Copies tasks that just failed for good, so that they outlive their day. Called in the transaction that ended them.
create or replace function pgqueue_private.keep_dead_letters(ids uuid[]) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_nestloop = on  -- finish() sets it off for itself and whom it calls
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
as $$
#variable_conflict use_column
begin
    insert into dead_letter (
        task_id, failed_at, created_at, user_id, timeout_s, priority, attempt, max_attempts, crash_count, queue, type,
        outcome, fingerprint, payload, error, retry, traceparent, limit_key, cost
    )
    select
        t.id, a.finished_at, t.created_at, t.user_id, t.timeout_s, t.priority, a.attempt, t.max_attempts, c.n, t.queue, t.type,
        a.outcome, fingerprint(t.type, a.error), t.payload, a.error, t.retry, t.traceparent,
        t.limit_key, t.cost
    from unnest(ids) as ended (id)
    cross join lateral (select * from task as f where f.id = ended.id limit 1) as t
    cross join lateral (
        select * from attempt as l where l.task_id = ended.id order by l.lease_id desc limit 1
    ) as a
    cross join lateral (
        select count(*) as n from attempt as l where l.task_id = ended.id and l.outcome = 'crashed'
    ) as c
    on conflict (task_id) do nothing;
end
$$;
