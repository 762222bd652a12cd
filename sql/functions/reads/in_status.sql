-- Returns those of some tasks that are in a status, newest first and each once, at most max_ids.
create or replace function pgqueue_private.in_status(ids uuid[], wanted_status text, max_ids int) returns uuid[]
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return array(
        select one.id
        from (select distinct k.id from unnest(ids) as k (id) order by k.id desc) as one
        where (select s.status from tasks as s where s.id = one.id limit 1) = wanted_status
        order by one.id desc
        limit max_ids
    );
end
$$;
