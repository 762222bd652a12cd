-- Deletes at most max_uploads that have expired or did not arrive in time, and drops one day of pieces that no
-- upload needs. Returns how many of these it did: call again while it is max_uploads or more. The pieces of a whole
-- upload stay until their day is dropped.
create or replace function pgqueue_private.prune_uploads(max_uploads int default 100) returns int
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    done int;
    day record;
begin
    with over as (
        select u.id from upload as u where u.expires_at <= now order by u.expires_at limit max_uploads for update skip locked
    ),
    gone as (
        delete from upload as u using over as o where u.id = o.id returning u.id, u.sha256 is null as aborted
    ),
    pieces as (
        delete from upload_chunk as c using gone as g where c.upload_id = g.id and g.aborted
    )
    select count(*) into done from gone;

    for day in
        select c.relname as name, to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp at time zone 'utc' as begins
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'pgqueue_private.upload_chunk'::regclass
        order by 1
    loop
        continue when day.begins + interval '25 hours' > now;  -- it may still grow
        continue when exists (
            select from upload as u
            where u.id >= first_id_at(day.begins) and u.id < first_id_at(day.begins + interval '1 day')
        );
        execute format('drop table pgqueue_private.%I', day.name);
        return greatest(done, max_uploads);
    end loop;
    return done;
end
$$;
