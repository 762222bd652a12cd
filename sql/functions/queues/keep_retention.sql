-- Applies a new retention of a queue outside its row: stores how long its dead letters are kept (among the policies
-- of dead letters), and makes days that were to be checked later due soon. Part of patch_queue().
create or replace function pgqueue_private.keep_retention(queue text, retention jsonb) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    dead_letter_retention constant interval := (keep_retention.retention ->> 'dead_letters_s')::float8 * interval '1 second';
begin
    if dead_letter_retention is not null then
        perform set_dead_letter_policy(keep_retention.queue, dead_letter_retention);
    else
        update dead_letter_policy as p set retention = null where p.queue = keep_retention.queue and p.queue <> '*';
    end if;
    update day as d set next_at = pgqueue.clock() where d.dropped_at is null and d.next_at > pgqueue.clock();
end
$$;
