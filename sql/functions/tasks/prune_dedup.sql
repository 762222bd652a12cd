-- Deletes keys that no task can meet any more: those whose task ended and is not remembered, or is gone. Looks at no
-- more than max_rows that are due, and returns how many it looked at. It looks at a key that must stay again when the
-- key is twice as old.
create or replace function pgqueue_private.prune_dedup(max_rows int default 1000) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    due tid[];
begin
    due := array(
        select d.ctid from dedup as d where d.expires_at <= now order by d.expires_at limit max_rows for update skip locked
    );
    -- A separate statement, so that it sees where the tasks of the locked rows are now.
    with looked as materialized (
        select
            d.ctid as at,
            coalesce((
                select d.lasting or v.status not in ('completed', 'failed', 'cancelled') from tasks as v where v.id = d.task_id limit 1
            ), false) as stays
        from dedup as d
        where d.ctid = any (due)
    ),
    forgotten as (
        delete from dedup as d where d.ctid = any (array(select at from looked where not stays))
    )
    update dedup as d set expires_at = now + greatest(now - d.created_at, interval '10 minutes')
    where d.ctid = any (array(select at from looked where stays));
    return cardinality(due);
end
$$;
