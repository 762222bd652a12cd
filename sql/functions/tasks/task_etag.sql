-- The ETag of what can be changed of a task: the same as long as nobody changes it and it does not move on.
create or replace function pgqueue_private.task_etag(
    status text, priority smallint, run_at timestamptz, attempt smallint, lease_id bigint
) returns text
language sql stable parallel safe
as $$
    select '"' || md5(concat_ws('|', status, priority, extract(epoch from run_at), attempt, lease_id)) || '"'
$$;
