-- What an operation would work on if it started now, and a sample: see count_operation(). Stores nothing.
create or replace function pgqueue.preview_operation(
    kind text, filter jsonb, look int default 50000, out count bigint, out exact boolean, out sample jsonb
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
    live constant boolean := kind in ('cancel', 'retry');
    found_now record;
begin
    select * into found_now from count_operation(kind, operation_filter(kind, filter), now, look);
    count := found_now.count;
    exact := found_now.exact;
    sample := case when live
        then (
            select jsonb_agg(jsonb_build_object('id', t.id, 'type', t.type, 'queue', t.queue, 'status', t.status) order by s.n)
            from unnest(found_now.first) with ordinality as s (id, n)
            cross join lateral (select v.id, v.type, v.queue, v.status from tasks as v where v.id = s.id limit 1) as t
        )
        else (
            select jsonb_agg(jsonb_build_object('id', d.task_id, 'type', d.type, 'queue', d.queue, 'status', 'failed') order by s.n)
            from unnest(found_now.first) with ordinality as s (id, n)
            join dead_letter as d on d.task_id = s.id
        )
    end;
    sample := coalesce(sample, '[]');
end
$$;

comment on function pgqueue.preview_operation is
    'Returns how many tasks an operation would work on, whether that was counted, and some of them; changes nothing.';
