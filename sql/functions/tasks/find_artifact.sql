-- A file that a task may work on: an upload by its id, or a file that a task made, by the task's id and its name.
-- Raises PQ002 when there is none.
create or replace function pgqueue_private.find_artifact(
    upload_id uuid default null, task_id uuid default null, name text default null,
    out file_name text, out content_type text, out size bigint, out sha256 text
)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if upload_id is not null then
        select u.name, u.content_type, u.size, encode(u.sha256, 'hex') into file_name, content_type, size, sha256
        from upload as u
        where u.id = upload_id and u.sha256 is not null and u.expires_at > pgqueue.clock();
        if not found then
            raise exception 'there is no artifact %', upload_id using errcode = 'PQ002', hint = 'it expired or was deleted: upload it again';
        end if;
    else
        select a.name, a.content_type, a.size, encode(a.sha256, 'hex') into file_name, content_type, size, sha256
        from artifact as a
        where a.task_id = find_artifact.task_id and a.name = find_artifact.name;
        if not found then
            raise exception 'task % has no artifact %', task_id, to_json(name)
                using errcode = 'PQ002', hint = 'see GET /v1/tasks/{id}/artifacts for those it has';
        end if;
    end if;
end
$$;
