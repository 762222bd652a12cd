-- Stores a file that an attempt made, replacing one of the same name, only while its lease holds (else PQ001).
create or replace function pgqueue_private.save_artifact(
    task_id uuid, lease_id bigint, name text, content_type text, data bytea
) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform from running as r
    where r.task_id = save_artifact.task_id and r.lease_id = save_artifact.lease_id
    for key share;
    if not found then
        raise exception 'lease % of task % no longer holds', lease_id, task_id
            using errcode = 'PQ001', hint = 'the task was rescued, cancelled or finished meanwhile: stop working on it';
    end if;
    insert into artifact (task_id, name, lease_id, created_at, content_type, size, sha256, data)
    values (task_id, name, lease_id, pgqueue.clock(), content_type, octet_length(data), sha256(data), data)
    on conflict on constraint artifact_pkey do update set
        lease_id = excluded.lease_id, created_at = excluded.created_at, content_type = excluded.content_type,
        size = excluded.size, sha256 = excluded.sha256, data = excluded.data;
end
$$;
