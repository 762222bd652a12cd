-- One part of an operation on tasks: cancels those that have not ended, or runs the failed tasks of a batch again, at
-- most max_tasks, and says where to continue.
-- Tokens move during a pass, so it passes over all of them again until it finds no more. It looks for failed tasks
-- once, because tasks that fail again would otherwise run for ever. It does not wait for running tasks that are just
-- being finished, but finds them again: otherwise two batches could deadlock. Part of run_operations().
create or replace function pgqueue_private.operate_on_tasks(
    kind text, filter jsonb, created_at timestamptz, place jsonb, max_tasks int, reason text,
    out done int, out skipped int, out next jsonb, out ended boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    part record;
    busy uuid[];
    found_so_far int;
    id uuid;
begin
    if filter ? 'batch_id' then
        select * into part from scan_batch(
            (filter ->> 'batch_id')::uuid,
            case kind when 'retry' then array['failed'] else array['queued', 'scheduled', 'retrying', 'blocked', 'active'] end,
            place -> 'place', max_tasks, 5000, created_at
        );
    else
        select * into part from scan_live_tasks(filter, place -> 'place', max_tasks, 5000, created_at);
    end if;
    busy := array(
        select r.task_id from running as r where r.task_id = any (part.ids)
        except
        select r.task_id from (
            select l.task_id from running as l where l.task_id = any (part.ids) order by l.task_id for update skip locked
        ) as r
    );
    done := 0;
    skipped := 0;
    foreach id in array part.ids loop
        if id = any (busy) then
            continue;
        elsif kind = 'retry' then
            begin
                perform pgqueue.retry(id);
                done := done + 1;
            exception when sqlstate 'PQ003' then
                skipped := skipped + 1;  -- another caller did it
            end;
        elsif pgqueue.cancel(id, reason) in ('cancelled', 'active') then
            done := done + 1;
        else
            skipped := skipped + 1;
        end if;
    end loop;

    found_so_far := coalesce((place ->> 'found')::int, 0) + cardinality(part.ids);
    ended := part.ended and (found_so_far = 0 or kind = 'retry');
    next := case when part.ended then '{}' else jsonb_build_object('place', part.next, 'found', found_so_far) end;
end
$$;
