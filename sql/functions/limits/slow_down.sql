-- Stops tasks of a queue, or of a key, from starting for some seconds, because a handler asked for it. A longer stop
-- that is already set stays. A key is slowed by the limit of its name, across all queues, or in its own queue where
-- there is none.
create or replace function pgqueue_private.slow_down(queue text, limit_key text, seconds float8, reason text) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    until constant timestamptz := pgqueue.clock() + seconds * interval '1 second';
begin
    if limit_key is null then
        insert into queue as q (name, created_at, slowed_until, slowed_reason)
        values (slow_down.queue, pgqueue.clock(), until, slow_down.reason)
        on conflict (name) do update set slowed_until = excluded.slowed_until, slowed_reason = excluded.slowed_reason
        where coalesce(q.slowed_until < excluded.slowed_until, true);
        return;
    end if;

    update key_limit as l set
        slowed_until = greatest(l.slowed_until, until),
        slowed_reason = case when l.slowed_until > until then l.slowed_reason else slow_down.reason end
    where l.name = slow_down.limit_key;
    if not found then
        insert into key_slowed as s (queue, limit_key, slowed_until, slowed_reason)
        values (slow_down.queue, slow_down.limit_key, until, slow_down.reason)
        on conflict on constraint key_slowed_pkey do update
        set slowed_until = excluded.slowed_until, slowed_reason = excluded.slowed_reason
        where s.slowed_until < excluded.slowed_until;
    end if;
end
$$;
