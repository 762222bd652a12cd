-- From when on the starts of a smooth rate are counted: from when one was due, as far as it came late; idle time earns nothing.
create or replace function pgqueue_private.smooth_base(due_at timestamptz, every interval, now timestamptz) returns timestamptz
language sql immutable parallel safe
as $$
    select case when due_at is null then now else greatest(due_at, now - greatest(every / 10, interval '20 ms')) end
$$;
