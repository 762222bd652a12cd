-- True when this is a retention that a queue may have: seconds for tasks_s, events_s, artifacts_s and dead_letters_s,
-- each from a day (dead_letters_s: an hour) to 36,500 days; events and artifacts are kept no longer than their tasks.
-- Null returns null.
create or replace function pgqueue_private.retention_fits(retention jsonb) returns boolean
language sql immutable strict
as $$
    select jsonb_typeof(retention) = 'object'
        and coalesce((
            select bool_and(
                e.key in ('tasks_s', 'events_s', 'artifacts_s', 'dead_letters_s')
                and jsonb_typeof(e.value) in ('number', 'null')
                and case when jsonb_typeof(e.value) = 'number' then
                    e.value::text::numeric between case e.key when 'dead_letters_s' then 3600 else 86400 end and 3153600000
                    and (
                        e.key not in ('events_s', 'artifacts_s')
                        or e.value <= coalesce(nullif(retention -> 'tasks_s', 'null'), '604800')
                    )
                else true end
            )
            from jsonb_each(case when jsonb_typeof(retention) = 'object' then retention else '{}' end) as e
        ), true)
$$;
