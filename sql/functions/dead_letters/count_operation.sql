-- What an operation that starts at a time would work on: how many (exact: counted; otherwise an estimate from a part
-- and the planner's statistics), and the first ten of them. What fails or is enqueued after that time is not counted.
-- Looks at no more than max_looked dead letters or tokens. wanted: as operation_filter() returns it.
create or replace function pgqueue_private.count_operation(
    kind text, wanted jsonb, started_at timestamptz, max_looked int,
    out count bigint, out exact boolean, out first uuid[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    chunk constant int := least(max_looked, 10000);
    live constant boolean := kind in ('cancel', 'retry');
    looked bigint := 0;
    place jsonb;
    place_at timestamptz;
    place_id uuid;
    part record;
begin
    count := 0;
    loop
        if wanted ? 'batch_id' then
            select * into part from scan_batch(
                (wanted ->> 'batch_id')::uuid,
                case kind when 'retry' then array['failed'] else array['queued', 'scheduled', 'retrying', 'blocked', 'active'] end,
                null, 10, 2000, started_at
            );
            first := part.ids;
            select sum(case kind when 'retry' then c.failed else c.total - c.completed - c.failed - c.cancelled end) into count
            from unnest(batches_under((wanted ->> 'batch_id')::uuid)) as b (id)
            cross join lateral batch_counts(b.id) as c;
            part.ended := true;  -- counted as they go
            exit;
        elsif live then
            select * into part from scan_live_tasks(wanted, place, chunk, chunk, started_at);
            place := part.next;
        else
            select * into part from scan_dead_letters(wanted, place_at, place_id, true, chunk, chunk, started_at);
            place_at := part.at;
            place_id := part.id;
        end if;
        count := count + cardinality(part.ids);
        looked := looked + part.looked;
        first := (first || part.ids)[1:10];
        exit when part.ended or looked >= max_looked;
    end loop;

    exact := part.ended;
    if not exact then
        count := greatest(count, round(count::float8 / looked * case when live
            then planned_rows(format('select from ready where %L is null or queue = %1$L', wanted ->> 'queue'))
                + planned_rows('select from delayed') + planned_rows('select from running')
            else planned_rows(format(
                'select from dead_letter where %s',
                case
                    when wanted ? 'fingerprint' then format('fingerprint = %L', wanted ->> 'fingerprint')
                    when wanted ? 'queue' then format('queue = %L', wanted ->> 'queue')
                    when wanted ? 'type' then format('type = %L', wanted ->> 'type')
                    else 'true'
                end
            )
            || coalesce(' and failed_at >= ' || quote_literal(wanted ->> 'from'), '')
            || coalesce(' and failed_at < ' || quote_literal(wanted ->> 'to'), ''))
        end));
    end if;
end
$$;
