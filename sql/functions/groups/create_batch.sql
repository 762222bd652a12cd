-- Creates a batch and returns its id. With tasks, it holds these and is closed, unless it is to stay open; without,
-- it is open until close_batch(). A closed batch with nothing in it ends at once.
-- on_success, on_failure and on_complete are tasks as enqueue_many() takes them: see end_batch() for which is
-- enqueued when. With a parent_id it is part of that batch, which must be open, and which does not end before this
-- one has.
-- Raises PQ002 or PQ003 when the parent is not such a batch, PQ004 for a callback that could not be enqueued.
create or replace function pgqueue.create_batch(
    name text, tasks jsonb default null, metadata jsonb default '{}', on_success jsonb default null,
    on_failure jsonb default null, on_complete jsonb default null, parent_id uuid default null, open boolean default null,
    callback_url text default null, user_id bigint default 0, out id uuid, out task_ids uuid[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
    above batch;
begin
    if name is null or length(name) not between 1 and 200 or jsonb_typeof(coalesce(metadata, '{}')) <> 'object' then
        raise exception 'the name or the metadata of a batch is not valid'
            using errcode = 'PQ004', hint = 'a name has 1 to 200 characters, metadata is an object';
    end if;
    if not url_fits(callback_url) then
        raise exception 'callback_url is not a URL that can be called'
            using errcode = 'PQ004', hint = 'it must be an http or https URL with a host, in ASCII, of at most 2,048 characters';
    end if;
    perform check_callback('on_success', on_success);
    perform check_callback('on_failure', on_failure);
    perform check_callback('on_complete', on_complete);
    if parent_id is not null then
        perform check_open_batch(parent_id);
        select * into above from batch as b where b.id = parent_id;
        if above.depth >= 10 then
            raise exception 'batches are nested more than ten deep' using errcode = 'PQ004';
        end if;
        insert into batch_delta (batch_id, batches) values (parent_id, 1);
    end if;

    id := new_id(id_bits(now), 0);
    insert into batch (
        id, created_at, user_id, parent_id, depth, name, metadata, on_success, on_failure, on_complete, callback_url
    )
    values (
        id, now, user_id, parent_id, coalesce(above.depth + 1, 0), name, coalesce(metadata, '{}'), on_success, on_failure,
        on_complete, callback_url
    );
    task_ids := '{}';
    if tasks is not null then
        task_ids := add_to_batch(id, tasks);
    end if;
    if not coalesce(open, tasks is null) then
        perform close_batch(id);
    end if;
end
$$;

comment on function pgqueue.create_batch is
    'Creates a batch, with tasks or open for more, and returns its id and those of its tasks.';
