-- The dead letters that a filter matches, grouped by fingerprint, the largest group first, as JSON text: how many,
-- since when, and the latest as an example. Looks at no more than max_looked of them, latest first; searched_until says
-- how far back that was (null: all of them).
create or replace function pgqueue_private.group_dead_letters(
    filter jsonb, max_groups int, max_looked int default 20000, out items text[], out searched_until text
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    part record;
begin
    select * into part from scan_dead_letters(filter, null, null, false, max_looked, max_looked);
    items := array(
        select json_build_object(
            'fingerprint', g.fingerprint, 'type', g.type, 'count', g.n,
            'first_failed_at', json_time(g.first_at), 'last_failed_at', json_time(g.last_at),
            'error', json_build_object(
                'type', e.error -> 'type', 'message', left(e.error ->> 'message', 1000), 'frame', e.error -> 'frame'
            ),
            'example_id', e.task_id
        )::text
        from (
            select
                d.fingerprint, min(d.type) as type, count(*) as n, min(d.failed_at) as first_at, max(d.failed_at) as last_at,
                (array_agg(d.task_id order by d.failed_at desc, d.task_id desc))[1] as example
            from unnest(part.ids) as hit (id)
            cross join lateral (select * from dead_letter as l where l.task_id = hit.id limit 1) as d
            group by d.fingerprint
            order by n desc, last_at desc, d.fingerprint
            limit max_groups
        ) as g
        cross join lateral (select * from dead_letter as l where l.task_id = g.example limit 1) as e
        order by g.n desc, g.last_at desc, g.fingerprint
    );
    searched_until := case when not part.ended then json_time(part.at) end;
end
$$;
