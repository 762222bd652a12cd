-- Deletes what has had its time: idempotency keys after 24 hours, workers that have been gone for 30 days, notices after 90 days,
-- listeners that left, starts that no rate counts any more.
create or replace function pgqueue.prune() returns void
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
as $$
declare
    now constant timestamptz := pgqueue.clock();
begin
    delete from idempotency where created_at < now - interval '24 hours';
    delete from worker where state in ('stopped', 'lost') and heartbeat_at < now - interval '30 days';
    delete from notice where at < now - interval '90 days';
    delete from started as s
    where s.at < now - coalesce((
        select max(r.per_seconds) * interval '1 second'
        from queue as q
        cross join lateral jsonb_to_recordset(q.rate) as r (per_seconds float8)
        where q.name = s.queue
    ), '0');
    delete from listener where expires_at < now - interval '1 hour';
end
$$;
