-- What an operation would work on: how many (exact: counted; otherwise an estimate from a part and the planner's
-- statistics), and a sample. Looks at no more than `look` dead letters or tokens, and stores nothing.
create or replace function pgqueue.preview_operation(
    kind text, filter jsonb, look int default 50000, out count bigint, out exact boolean, out sample jsonb
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    chunk constant int := least(look, 10000);
    wanted constant jsonb := operation_filter(kind, filter);
    live constant boolean := kind in ('cancel', 'retry');
    looked bigint := 0;
    place jsonb;
    place_at timestamptz;
    place_id uuid;
    first uuid[];
    part record;
begin
    count := 0;
    loop
        if wanted ? 'batch_id' then
            select * into part from scan_batch(
                (wanted ->> 'batch_id')::uuid,
                case kind when 'retry' then array['failed'] else array['queued', 'scheduled', 'retrying', 'blocked', 'active'] end,
                null, 10, 2000
            );
            first := part.ids;
            select sum(case kind when 'retry' then c.failed else c.total - c.completed - c.failed - c.cancelled end) into count
            from unnest(batches_under((wanted ->> 'batch_id')::uuid)) as b (id)
            cross join lateral batch_counts(b.id) as c;
            part.ended := true;  -- counted as they go
            exit;
        elsif live then
            select * into part from scan_live_tasks(wanted, place, chunk, chunk);
            place := part.next;
        else
            select * into part from scan_dead_letters(wanted, place_at, place_id, true, chunk, chunk);
            place_at := part.at;
            place_id := part.id;
        end if;
        count := count + cardinality(part.ids);
        looked := looked + part.looked;
        first := (first || part.ids)[1:10];
        exit when part.ended or looked >= look;
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

    sample := case when live
        then (
            select jsonb_agg(jsonb_build_object('id', t.id, 'type', t.type, 'queue', t.queue, 'status', t.status) order by s.n)
            from unnest(first) with ordinality as s (id, n)
            cross join lateral (select v.id, v.type, v.queue, v.status from tasks as v where v.id = s.id limit 1) as t
        )
        else (
            select jsonb_agg(jsonb_build_object('id', d.task_id, 'type', d.type, 'queue', d.queue, 'status', 'failed') order by s.n)
            from unnest(first) with ordinality as s (id, n)
            join dead_letter as d on d.task_id = s.id
        )
    end;
    sample := coalesce(sample, '[]');
end
$$;

comment on function pgqueue.preview_operation is
    'Returns how many tasks an operation would work on, whether that was counted, and some of them; changes nothing.';
