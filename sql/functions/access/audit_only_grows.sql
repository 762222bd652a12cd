-- Lets nothing of an entry of the audit trail change but its status, once. A trigger of each month: see audit_asked().
create or replace function pgqueue_private.audit_only_grows() returns trigger
language plpgsql
as $$
begin
    if tg_op = 'UPDATE' and old.status is null and new.status is not null
        and (old.id, old.user_id, old.actor, old.via, old.key_id, old.action, old.object, old.address)
        is not distinct from (new.id, new.user_id, new.actor, new.via, new.key_id, new.action, new.object, new.address)
    then
        return new;
    end if;
    raise exception 'the audit trail only grows' using errcode = 'PQ003', hint = 'its months leave by retention';
end
$$;
