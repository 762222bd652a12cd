-- The time from which the starts of a smooth rate are counted: when the next one was due, but at most a tenth of the
-- interval (at least 20 ms) before now, because idle time earns nothing.
create or replace function pgqueue_private.smooth_base(due_at timestamptz, every interval, now timestamptz) returns timestamptz
language sql immutable parallel safe
as $$
    select case when due_at is null then now else greatest(due_at, now - greatest(every / 10, interval '20 ms')) end
$$;
