-- The payload of the n-th of these tasks, which reads as SQL's null: JSON's null if it says so, {} if it has none.
create or replace function pgqueue_private.no_payload(tasks jsonb, n bigint) returns jsonb
language sql immutable
as $$
    select case when tasks -> (n - 1)::int ? 'payload' then 'null'::jsonb else '{}' end
$$;
