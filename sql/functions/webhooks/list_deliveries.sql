-- The deliveries of a webhook, or without an id those of callback URLs, latest first, as JSON text. Looks at no more
-- than 2,000 in a call, so a page by status may be short and still have a next, the position before which to
-- continue.
create or replace function pgqueue_private.list_deliveries(
    webhook_id uuid, status text, before uuid, max_rows int, out items text[], out next uuid
)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    far constant int := case when status is null then max_rows + 1 else 2000 end;
    looked uuid[];
    found uuid[];
begin
    if webhook_id is null then  -- a comparison that matches null cannot use an index
        looked := array(
            select d.id from webhook_delivery as d
            where d.webhook_id is null and (before is null or d.id < before)
            order by d.id desc limit far
        );
    else
        looked := array(
            select d.id from webhook_delivery as d
            where d.webhook_id = list_deliveries.webhook_id and (before is null or d.id < before)
            order by d.id desc limit far
        );
    end if;
    select array_agg(s.state order by s.n), array_agg(s.id order by s.n) into items, found
    from (
        select a.* from delivery_states(looked) with ordinality as a (id, webhook_id, status, state, n)
        where list_deliveries.status is null or a.status = list_deliveries.status
        order by a.n
        limit max_rows
    ) as s;
    items := coalesce(items, '{}');
    next := case
        when cardinality(found) = max_rows and found[max_rows] <> looked[cardinality(looked)] then found[max_rows]
        when cardinality(looked) = far and status is not null then looked[far]
    end;
end
$$;
