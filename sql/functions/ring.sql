-- Rings the doorbell of idle workers, if any waits: a hint that these queues hold runnable tasks.
-- Called on its own, after commit: NOTIFY inside the writing transaction would serialise commits.
create or replace function pgqueue.ring(queues text[]) returns void
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
as $$
begin
    if exists (select from listener where channel = 'pgqueue_ready' and expires_at > pgqueue.clock()) then
        perform pg_notify('pgqueue_ready', string_agg(distinct q, ',')) from unnest(queues[1:50]) as q;
    end if;
end
$$;
