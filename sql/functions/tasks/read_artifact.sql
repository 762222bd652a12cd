-- The n-th MiB (from 0) of a file that find_artifact found. Raises PQ002 when it has gone meanwhile.
create or replace function pgqueue_private.read_artifact(
    n int, upload_id uuid default null, task_id uuid default null, name text default null
) returns bytea
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    data bytea;
begin
    if upload_id is not null then
        select c.data into data
        from upload_chunk as c
        join upload as u on u.id = c.upload_id
        where c.upload_id = read_artifact.upload_id and c.n = read_artifact.n and u.sha256 is not null;
    else
        select substr(a.data, read_artifact.n * 1048576 + 1, 1048576) into data
        from artifact as a
        where a.task_id = read_artifact.task_id and a.name = read_artifact.name;
    end if;
    if not found then
        raise exception 'the artifact is gone' using errcode = 'PQ002', hint = 'it expired or was deleted meanwhile';
    end if;
    return data;
end
$$;
