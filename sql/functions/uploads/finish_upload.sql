-- Completes an upload, which can be used for keep_s, if its pieces have the given size (else PQ004). Raises PQ002
-- when it is gone.
create or replace function pgqueue_private.finish_upload(id uuid, size bigint, sha256 bytea, keep_s float8) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    pieces bigint;
    arrived bigint;
begin
    perform from upload as u where u.id = finish_upload.id and u.sha256 is null for update;
    if not found then
        raise exception 'there is no upload % in progress', id using errcode = 'PQ002', hint = 'it took too long or was deleted: begin again';
    end if;
    select count(*), coalesce(sum(octet_length(c.data)), 0) into pieces, arrived from upload_chunk as c where c.upload_id = finish_upload.id;
    if arrived <> size or pieces <> (size + 1048575) / 1048576 then
        raise exception 'upload % has % bytes in % pieces, not the given %', id, arrived, pieces, size using errcode = 'PQ004';
    end if;
    update upload as u
    set size = finish_upload.size, sha256 = finish_upload.sha256, expires_at = pgqueue.clock() + keep_s * interval '1 second'
    where u.id = finish_upload.id;
end
$$;
