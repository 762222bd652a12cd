-- The days of which something may be pruned now, the oldest first.
create or replace function pgqueue_private.due_days() returns setof date
language sql stable
as $$
    select d.day from pgqueue.days as d where d.prune_at <= pgqueue.clock() order by d.day
$$;
