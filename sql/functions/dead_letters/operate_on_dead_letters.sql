-- One part of an operation on dead letters, oldest first: redrives or deletes at most max_dead_letters, and says where
-- to continue. Skips locked dead letters and does not wait for them. Part of run_operations().
create or replace function pgqueue_private.operate_on_dead_letters(
    kind text, filter jsonb, created_at timestamptz, place jsonb, max_dead_letters int,
    out done int, out skipped int, out next jsonb, out ended boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    part record;
    id uuid;
begin
    -- This excludes what fails again from now on, so that nothing is redriven twice.
    select * into part
    from scan_dead_letters(
        filter, (place ->> 'failed_at')::timestamptz, (place ->> 'id')::uuid, true, max_dead_letters, 5000, created_at
    );
    done := 0;
    if kind = 'delete' then
        with held as (
            select d.task_id from dead_letter as d where d.task_id = any (part.ids) for update skip locked
        )
        delete from dead_letter as d where d.task_id in (select task_id from held);
        get diagnostics done = row_count;
    else
        foreach id in array part.ids loop
            if pg_try_advisory_xact_lock(hashtextextended('pgqueue:retry:' || id, 0)) then
                perform from dead_letter as d where d.task_id = id for update skip locked;
                if found then
                    done := done + (redrive(id) is not null)::int;
                end if;
            end if;
        end loop;
    end if;
    skipped := cardinality(part.ids) - done;
    next := jsonb_build_object('failed_at', part.at, 'id', part.id);
    ended := part.ended;
end
$$;
