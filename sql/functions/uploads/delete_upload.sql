-- Deletes an upload, whole or arriving, with all its pieces, and returns whether there was one.
create or replace function pgqueue_private.delete_upload(id uuid) returns boolean
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- Delete the upload first: a piece that arrives meanwhile waits for this lock and then finds no upload.
    delete from upload as u where u.id = delete_upload.id;
    if not found then
        return false;
    end if;
    delete from upload_chunk as c where c.upload_id = delete_upload.id;
    return true;
end
$$;
