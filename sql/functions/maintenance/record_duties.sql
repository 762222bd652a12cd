-- Records how duties went, as a supervisor reports every few seconds. Each element: name, interval_s, duration_s,
-- error, and how long ago it started, finished, was due again and failed (started_ago_s, finished_ago_s, due_ago_s,
-- error_ago_s). Any number of supervisors report: what was recorded within two seconds is not written again.
create or replace function pgqueue_private.record_duties(runs jsonb, run_by text) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    fresh constant interval := '2 seconds';
begin
    insert into duty as d (name, interval_s, started_at, finished_at, due_at, duration_s, run_by, error, error_at)
    select
        r.name, r.interval_s, t.started_at, t.finished_at, now - r.due_ago_s * interval '1 second', r.duration_s,
        record_duties.run_by, r.error, t.error_at
    from jsonb_to_recordset(runs) as r (
        name text, interval_s float8, started_ago_s float8, finished_ago_s float8, due_ago_s float8, duration_s float8,
        error text, error_ago_s float8
    )
    cross join lateral (
        select
            now - r.started_ago_s * interval '1 second' as started_at,
            now - r.finished_ago_s * interval '1 second' as finished_at,
            now - r.error_ago_s * interval '1 second' as error_at
    ) as t
    left join duty as k on k.name = r.name
    where t.started_at is not null and (
        k.name is null
        or t.started_at > k.started_at + fresh
        or t.finished_at > coalesce(k.finished_at + fresh, '-infinity')
        or t.error_at > coalesce(k.error_at + fresh, '-infinity')
    )
    order by r.name  -- two reports at once lock rows in the same order
    on conflict on constraint duty_pkey do update set
        interval_s = excluded.interval_s,
        started_at = greatest(d.started_at, excluded.started_at),
        finished_at = greatest(d.finished_at, excluded.finished_at),
        due_at = case when excluded.finished_at > coalesce(d.finished_at, '-infinity') then excluded.due_at else d.due_at end,
        duration_s = case when excluded.finished_at > coalesce(d.finished_at, '-infinity') then excluded.duration_s else d.duration_s end,
        run_by = excluded.run_by,
        error = case when excluded.error_at > coalesce(d.error_at, '-infinity') then excluded.error else d.error end,
        error_at = greatest(d.error_at, excluded.error_at);
end
$$;
