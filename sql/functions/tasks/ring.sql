-- Rings the doorbell of idle workers, if any waits: a hint that these queues hold runnable tasks. It names as many of
-- them as a notification holds; the poll finds the others.
-- Call it on its own, after commit: NOTIFY inside the writing transaction would serialise commits.
create or replace function pgqueue_private.ring(queues text[]) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
begin
    if exists (select from listener where channel = 'pgqueue_ready' and expires_at > pgqueue.clock()) then
        perform pg_notify('pgqueue_ready', string_agg(named.queue, ',' order by named.queue))
        from (
            select q as queue, sum(octet_length(q) + 1) over (order by q) as bytes
            from (select distinct q from unnest(queues) as q) as each_once
        ) as named
        where named.bytes <= 7900
        having count(*) > 0;
    end if;
end
$$;
