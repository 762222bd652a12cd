-- Scans the tasks of a batch and of the batches inside it, from a position on, and returns those in one of these
-- statuses: at most max_ids, looking at no more than max_looked. Leaves out what was enqueued or failed after
-- started_at. The next call continues at next; ended: the scan has reached the end.
create or replace function pgqueue_private.scan_batch(
    batch_id uuid, statuses text[], place jsonb, max_ids int, max_looked int, started_at timestamptz,
    out ids uuid[], out next jsonb, out looked int, out ended boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    high constant uuid := first_id_at(scan_batch.started_at + interval '1 microsecond');
    all_batches constant uuid[] := batches_under(batch_id);
    at uuid := coalesce((place ->> 'batch_id')::uuid, all_batches[1]);
    after uuid := coalesce((place ->> 'task_id')::uuid, '00000000-0000-0000-0000-000000000000');
    candidates uuid[];
    reached int;
begin
    ids := '{}';
    looked := 0;
    ended := false;
    while looked < max_looked and cardinality(ids) < max_ids loop
        candidates := array(
            select t.id from task as t where t.batch_id = at and t.id > after and t.id < high order by t.id limit max_looked - looked
        );
        with counted as (
            select c.id, c.n, sum((v.status = any (statuses))::int) over (order by c.n) as hits, v.status = any (statuses) as hit
            from unnest(candidates) with ordinality as c (id, n)
            cross join lateral (
                -- A task that was asked to stop is left alone.
                select case
                    when exists (select from running as r where r.task_id = c.id and r.cancel_requested) then 'stopping'
                    when t.finished_at > scan_batch.started_at then 'ended since'
                    else t.status
                end as status
                from tasks as t
                where t.id = c.id
                limit 1
            ) as v
        )
        select ids || coalesce(array_agg(id order by n) filter (where hit), '{}'), coalesce(max(n), 0) into ids, reached
        from counted
        where hits - hit::int < max_ids - cardinality(scan_batch.ids);
        looked := looked + reached;
        if reached < cardinality(candidates) or looked >= max_looked then
            after := coalesce(candidates[reached], after);
            exit;
        end if;
        after := '00000000-0000-0000-0000-000000000000';
        at := (select b from unnest(all_batches) as b where b > at order by b limit 1);
        if at is null then
            ended := true;
            exit;
        end if;
    end loop;
    next := case when not ended then jsonb_build_object('batch_id', at, 'task_id', after) end;
end
$$;
