-- Adds a piece to an upload that is arriving: n counts from 0, and each but the last has 1 MiB. Raises PQ002 when the
-- upload is gone. finish_upload makes it durable, so a piece need not wait for the disk.
create or replace function pgqueue_private.append_upload(id uuid, n int, data bytea) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform set_config('synchronous_commit', 'off', true);  -- for this transaction
    perform from upload as u where u.id = append_upload.id and u.sha256 is null for key share;
    if not found then
        raise exception 'there is no upload % in progress', id using errcode = 'PQ002', hint = 'it took too long or was deleted: begin again';
    end if;
    insert into upload_chunk (upload_id, n, data) values (append_upload.id, append_upload.n, append_upload.data);
end
$$;
