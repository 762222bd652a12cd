-- Deletes a schedule, given by its name or id, with its slots; its tasks stay. With versions, only if its version is
-- one of these. Returns whether it did. Raises PQ003 for a schedule that the code of an app declares: it would come
-- back.
create or replace function pgqueue.delete_schedule(name text, versions bigint[] default null) returns boolean
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    known schedule;
begin
    select * into known from schedule as s where s.id = find_schedule(delete_schedule.name) for update;
    if not found or known.version <> all (versions) then
        return false;
    end if;
    if known.declared_by is not null and known.undeclared_at is null then
        raise exception 'schedule % is declared in the code of %', to_json(known.name), known.declared_by
            using errcode = 'PQ003', hint = 'remove it there, or pause it';
    end if;
    delete from schedule_slot as l where l.schedule_id = known.id;
    delete from schedule as s where s.id = known.id;
    return true;
end
$$;

comment on function pgqueue.delete_schedule is
    'Deletes a schedule, by its name or id, only at one of the versions if any are given, and returns whether it did; '
    'its tasks stay.';
