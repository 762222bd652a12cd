-- Stores what a task remembers under a name, replacing what it had there, only while the lease holds (else PQ001):
-- the result of a step under the step's name, the last checkpoint under ''. A task remembers at most 1,000 names and
-- 4 MiB of JSON text (else PQ004), so that its next attempt can load all of it at once.
create or replace function pgqueue.save_checkpoint(task_id uuid, lease_id bigint, name text, data jsonb) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    size constant int := octet_length(data::text);
    held record;
    kept record;
begin
    select r.user_id, r.attempt into held
    from running as r
    where r.task_id = save_checkpoint.task_id and r.lease_id = save_checkpoint.lease_id
    for key share;
    if not found then
        raise exception 'lease % of task % no longer holds', lease_id, task_id
            using errcode = 'PQ001', hint = 'the task was rescued, cancelled or finished meanwhile: stop working on it';
    end if;

    select count(*) as names, coalesce(sum(c.size), 0) as bytes into kept
    from checkpoint as c
    where c.task_id = save_checkpoint.task_id and c.name <> save_checkpoint.name;
    if kept.names >= 1000 or kept.bytes + size > 4194304 then
        raise exception 'task % would remember % names and % bytes', task_id, kept.names + 1, kept.bytes + size
            using errcode = 'PQ004', hint = 'at most 1,000 and 4 MiB: make fewer steps, or keep large things as artifacts';
    end if;

    insert into checkpoint (task_id, name, lease_id, user_id, attempt, at, size, data)
    values (task_id, name, lease_id, held.user_id, held.attempt, pgqueue.clock(), size, data)
    on conflict on constraint checkpoint_pkey do update set
        lease_id = excluded.lease_id, attempt = excluded.attempt, at = excluded.at, size = excluded.size, data = excluded.data;
end
$$;

comment on function pgqueue.save_checkpoint is
    'Stores data for the next attempt of a task under a name (empty: its last checkpoint); raises PQ001 if the lease '
    'no longer holds.';
