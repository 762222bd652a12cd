-- How the duties of maintenance go. lag_s: how late the next run is. Runs are recorded every five seconds, so the
-- first eight seconds after the last run do not count as late. state: failing (the last run failed), late (by more
-- than its interval and 30 s), otherwise ok.
create or replace view pgqueue.maintenance as
select
    d.name as duty,
    case
        when d.error_at > coalesce(d.finished_at, '-infinity') then 'failing'
        when l.lag_s > greatest(d.interval_s, 30) then 'late'
        else 'ok'
    end as state,
    round(l.lag_s::numeric, 1)::float8 as lag_s,
    d.interval_s,
    d.started_at as last_started_at,
    d.finished_at as last_finished_at,
    d.duration_s as last_duration_s,
    d.run_by,
    d.error as last_error,
    d.error_at as last_error_at
from pgqueue_private.duty as d
cross join lateral (
    select greatest(0, extract(epoch from pgqueue.clock() - coalesce(
        greatest(d.due_at, d.finished_at + interval '8 seconds'), d.started_at + d.interval_s * interval '1 second'
    )))::float8 as lag_s
) as l
order by d.name;

comment on view pgqueue.maintenance is 'Every duty of maintenance, its last run and how late the next one is.';
comment on column pgqueue.maintenance.duty is 'The name of the duty.';
comment on column pgqueue.maintenance.state is
    'ok, late (by more than its interval and 30 s) or failing (its last run failed).';
comment on column pgqueue.maintenance.lag_s is 'How many seconds the next run is late.';
comment on column pgqueue.maintenance.interval_s is 'How many seconds lie between two runs when there is no urgent work.';
comment on column pgqueue.maintenance.last_started_at is 'When its last run started.';
comment on column pgqueue.maintenance.last_finished_at is 'When its last successful run ended; null: there was none.';
comment on column pgqueue.maintenance.last_duration_s is 'How many seconds that run took; null: there was none.';
comment on column pgqueue.maintenance.run_by is 'The supervisor that ran it, as host:pid; null: not known.';
comment on column pgqueue.maintenance.last_error is 'Why its last failed run failed; null: none failed.';
comment on column pgqueue.maintenance.last_error_at is 'When its last failed run failed; null: none failed.';
