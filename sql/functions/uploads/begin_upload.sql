-- Begins an upload and returns its id. append_upload adds its pieces; the upload can be used once finish_upload has
-- returned. prune_uploads deletes an upload that has not arrived within within_s.
create or replace function pgqueue_private.begin_upload(
    name text, content_type text, within_s float8, user_id bigint default 0
) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    id constant uuid := new_id(id_bits(now), 1);
    day constant date := (now at time zone 'utc')::date;
    partition constant text := 'upload_chunk' || to_char(day, '_YYYYMMDD');
begin
    insert into upload (id, user_id, name, content_type, created_at, expires_at)
    values (id, begin_upload.user_id, begin_upload.name, begin_upload.content_type, now, now + within_s * interval '1 second');

    if to_regclass('pgqueue_private.' || partition) is null then
        perform pg_advisory_xact_lock(hashtextextended('pgqueue:upload_days', 0));
        -- Not to_regclass: this kind of lock does not make a session forget that a table did not exist before.
        if not exists (select from pg_class as c where c.relname = partition and c.relnamespace = 'pgqueue_private'::regnamespace) then
            -- Attached, not created in place, like the days of tasks: nobody waits.
            execute format(
                'create table pgqueue_private.%I (like pgqueue_private.upload_chunk including defaults including constraints including storage)', partition
            );
            execute format(
                'alter table pgqueue_private.upload_chunk attach partition pgqueue_private.%I for values from (%L) to (%L)',
                partition,
                first_id_at(day::timestamp at time zone 'utc'),
                first_id_at((day + 1)::timestamp at time zone 'utc')
            );
        end if;
    end if;
    return id;
end
$$;
