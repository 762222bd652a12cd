-- Deletes the limit of this name; with versions, only if its version is one of these. Its key is limited again as its
-- queues say. Returns whether it deleted one.
create or replace function pgqueue.delete_limit(name text, versions bigint[] default null) returns boolean
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    delete from key_limit as l where l.name = delete_limit.name and (versions is null or l.version = any (versions));
    if not found then
        return false;
    end if;
    perform recount_key(delete_limit.name);
    return true;
end
$$;

comment on function pgqueue.delete_limit is
    'Deletes the limit of a key in all queues, only at one of the versions if any are given, and returns whether it '
    'did.';
