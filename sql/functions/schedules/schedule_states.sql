-- The requested schedules as the JSON text that the HTTP API returns, in the order given; unknown ids have no row.
create or replace function pgqueue_private.schedule_states(ids uuid[])
returns table (id uuid, name text, version bigint, state text)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        s.id, s.name, s.version,
        (to_jsonb(s) - '{options, user_id}'::text[] || schedule_options(s.options) || jsonb_build_object(
            'run_at', json_time(s.run_at),
            'starts_at', json_time(s.starts_at),
            'ends_at', json_time(s.ends_at),
            'next_due_at', json_time(s.next_due_at),
            'last_due_at', json_time(s.last_due_at),
            'backfill_from', json_time(s.backfill_from),
            'backfill_to', json_time(s.backfill_to),
            'undeclared_at', json_time(s.undeclared_at),
            'created_at', json_time(s.created_at)
        ))::text
    from unnest(ids) with ordinality as asked (id, n)
    cross join lateral (select * from schedules as v where v.id = asked.id limit 1) as s
    order by asked.n;
end
$$;
