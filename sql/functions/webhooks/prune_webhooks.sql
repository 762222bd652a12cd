-- Deletes what was delivered or cancelled more than 7 days ago, what failed or still waits after 30 days, and secrets
-- that expired. At most max_rows deliveries, oldest first; returns how many: call again until it returns 0.
create or replace function pgqueue_private.prune_webhooks(max_rows int default 5000) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    pruned bigint;
begin
    delete from webhook_secret as s where s.expires_at < now;
    -- Ids sort by time.
    delete from webhook_delivery as d where d.ctid = any (array(
        select o.ctid
        from webhook_delivery as o
        where o.id < first_id_at(now - interval '7 days')
            and (o.status in ('delivered', 'cancelled') or o.id < first_id_at(now - interval '30 days'))
        order by o.id
        limit max_rows
        for update skip locked
    ));
    get diagnostics pruned = row_count;
    return pruned;
end
$$;
