-- The ETag of the fields of a task that can be changed: it stays the same until someone changes them or the task
-- moves on.
create or replace function pgqueue_private.task_etag(
    status text, priority smallint, run_at timestamptz, attempt smallint, lease_id bigint
) returns text
language sql stable parallel safe
as $$
    select '"' || md5(concat_ws('|', status, priority, extract(epoch from run_at), attempt, lease_id)) || '"'
$$;
