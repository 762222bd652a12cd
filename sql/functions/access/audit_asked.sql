-- Notes that somebody asks for a change, before it is made, and returns the id of the note.
create or replace function pgqueue_private.audit_asked(
    user_id bigint, actor text, via text, key_id text, action text, object text, address text, status int default null
) returns uuid
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    now constant timestamptz := pgqueue.clock();
    id constant uuid := new_id(id_bits(now), 0);
    month constant timestamptz := date_trunc('month', now, 'UTC');
    name constant text := 'audit_' || to_char(month at time zone 'utc', 'YYYYMM');
begin
    if to_regclass('pgqueue_private.' || name) is null then
        perform pg_advisory_xact_lock(hashtextextended('pgqueue:partitions', 0));
        -- A session that waited for the lock may still remember that there was none: only a query sees what is there.
        if not exists (select from pg_class as c where c.relnamespace = 'pgqueue_private'::regnamespace and c.relname = name) then
            execute format(
                'create table pgqueue_private.%I partition of pgqueue_private.audit for values from (%L) to (%L)',
                name, first_id_at(month), first_id_at(month + interval '1 month')
            );
            execute format(
                'create trigger audit_only_grows before update or delete on pgqueue_private.%I
                for each row execute function pgqueue_private.audit_only_grows()', name
            );
        end if;
    end if;
    insert into audit (id, user_id, status, actor, via, key_id, action, object, address)
    values (id, user_id, status, left(actor, 300), via, key_id, action, left(object, 2000), address);
    return id;
end
$$;
