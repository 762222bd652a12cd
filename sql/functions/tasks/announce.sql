-- Tells listeners that these tasks changed. Sends only ids, a hint to look, packed into as few notifications as
-- possible. Call it on its own, after commit, and only while finish, claim or progress say that someone is watching.
create or replace function pgqueue_private.announce(task_ids uuid[]) returns void
language sql
as $$
    select pg_notify('pgqueue_event', string_agg(id::text, ','))
    from unnest(task_ids) with ordinality as t (id, n)
    group by n / 200
$$;
