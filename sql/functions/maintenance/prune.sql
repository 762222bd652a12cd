-- Deletes what is past its retention: idempotency keys after 24 hours, workers that have been gone for 30 days,
-- notices after 90 days, sessions and sign-ins that ran out, listeners that left, starts that no rate counts any more, queues of which nothing is left.
create or replace function pgqueue_private.prune() returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    now constant timestamptz := pgqueue.clock();
begin
    delete from idempotency where created_at < now - interval '24 hours';
    delete from worker where state in ('stopped', 'lost') and heartbeat_at < now - interval '30 days';
    delete from session where expires_at < now;
    delete from oidc_login where expires_at < now;
    delete from notice where at < now - interval '90 days';
    delete from limit_use as u
    where u.at < now - coalesce((
        select max(r.per_seconds) * interval '1 second'
        from jsonb_to_recordset(case
            when u.queue = '' then (select l.rate from key_limit as l where l.name = u.limit_key)
            when u.limit_key = '' then (select q.rate from queue as q where q.name = u.queue)
            else (select q.per_key -> 'rate' from queue as q where q.name = u.queue)
        end) as r (per_seconds float8)
    ), '0');
    delete from key_slowed where slowed_until < now;
    update queue set slowed_until = null, slowed_reason = null where slowed_until < now;
    update key_limit set slowed_until = null, slowed_reason = null where slowed_until < now;
    perform forget_queues();
    delete from listener where expires_at < now - interval '1 hour';
end
$$;
