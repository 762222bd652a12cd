-- Copies tasks that just failed for good, so that they outlive their day. Call it in the transaction that ends them.
-- options takes every field of the task except those that are not options and those that have a column of their own,
-- so it also keeps a field that is added later.
create or replace function pgqueue_private.keep_dead_letters(ids uuid[]) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    insert into dead_letter (
        task_id, failed_at, created_at, user_id, attempt, crash_count, queue, type, outcome, fingerprint, payload, error, options
    )
    select
        t.id, a.finished_at, t.created_at, t.user_id, a.attempt, c.n, t.queue, t.type, a.outcome, fingerprint(t.type, a.error),
        t.payload, a.error,
        to_jsonb(t) - '{id, created_at, user_id, seq, queue, type, payload, followed}'::text[]
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
