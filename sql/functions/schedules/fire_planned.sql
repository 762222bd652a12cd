-- The work of fire_schedules, all or none. failure: nothing can be enqueued, for this reason.
-- A due time that is handled later than a minute (and the jitter) was missed. The schedule says what happens to it,
-- and to one whose predecessors have not ended.
create or replace function pgqueue_private.fire_planned(
    plans jsonb, failure text default null, out fired int, out task_ids uuid[], out queues text[]
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    one record;
    slots timestamptz[];
    late timestamptz;                               -- a due time before this was missed
    due timestamptz;
    place int;                                      -- position of the due time among the slots
    fate text;
    reason text;
    alive uuid[];                                   -- predecessors; null: not looked for, {null}: enqueued here
    waiting timestamptz;
    decided jsonb[] := '{}';
    held_ids uuid[] := '{}';
    held_waiting timestamptz[] := '{}';
    filled record;
begin
    for one in
        select s.*, p.slots, p.gap_from, p.backfill
        from (
            select * from jsonb_to_recordset(plans) as u (
                id uuid, version bigint, due_at timestamptz, slots jsonb, gap_from timestamptz, backfill jsonb
            )
            order by u.id
        ) as p
        cross join lateral (
            select * from schedule as k
            where k.id = p.id and k.version = p.version and k.next_due_at is not distinct from p.due_at
            for update
        ) as s
    loop
        slots := array(select u.due::timestamptz as due from jsonb_array_elements_text(one.slots) as u (due) order by due);
        late := now - (60 + one.jitter_s) * interval '1 second';
        place := 0;
        alive := null;
        waiting := one.waiting_at;

        if one.gap_from is not null then
            decided := decided || jsonb_build_object(
                'id', one.id, 'due_at', one.gap_from, 'fate', 'missed',
                'reason', 'no scheduler ran when it was due, nor for those that followed until the next slot'
            );
        end if;
        if waiting is not null then  -- the waiting due time comes first
            alive := open_tasks(one.id);
            if cardinality(alive) = 0 then
                slots := waiting || slots;
                waiting := null;
            end if;
        end if;

        foreach due in array slots loop
            place := place + 1;
            fate := 'enqueued';
            reason := null;
            if failure is not null then
                fate := 'skipped';
                reason := failure;
            elsif
                due < late and due is distinct from one.waiting_at and not (
                    (one.missed = 'latest' and place = cardinality(slots))
                    or (one.missed = 'all' and cardinality(slots) - place < one.missed_max)
                )
            then
                fate := 'missed';
                reason := 'no scheduler ran when it was due';
            elsif one.overlap = 'cancel_previous' then
                if place < cardinality(slots) then
                    fate := 'skipped';
                    reason := 'the next slot is due already';
                else
                    perform cancel(task, 'the next slot of schedule ' || one.name || ' is due')
                    from unnest(open_tasks(one.id)) as task;
                end if;
            elsif one.overlap in ('skip', 'queue_one') then
                alive := coalesce(alive, open_tasks(one.id));
                if cardinality(alive) = 0 then
                    alive := array[null::uuid];
                elsif one.overlap = 'queue_one' and waiting is null then
                    fate := 'waiting';
                    reason := 'its predecessor has not ended';
                    waiting := due;
                else
                    fate := 'skipped';
                    reason := case
                        when waiting is not null then 'another slot waits already'
                        else coalesce('task ' || alive[1] || ' has not ended', 'the slot before was due at once')
                    end;
                end if;
            end if;
            decided := decided || jsonb_build_object('id', one.id, 'due_at', due, 'fate', fate, 'reason', reason);
        end loop;

        if one.backfill is not null and failure is null then
            decided := decided || array(
                select jsonb_build_object('id', one.id, 'due_at', u.due, 'kind', 'backfill', 'fate', 'enqueued')
                from jsonb_array_elements_text(one.backfill) as u (due)
            );
        end if;
        held_ids := held_ids || one.id;
        held_waiting := held_waiting || waiting;
    end loop;

    select * into filled from fill_slots(to_jsonb(decided));
    fired := cardinality(filled.task_ids);
    task_ids := filled.task_ids;
    queues := filled.queues;

    update schedule as s
    set next_due_at = p.next_due_at,
        after_at = greatest(s.after_at, d.due_at),
        last_due_at = coalesce(d.due_at, s.last_due_at),
        waiting_at = h.waiting,
        backfill_from = case when failure is null then p.backfill_from end,
        backfill_to = case when failure is null and p.backfill_from is not null then s.backfill_to end,
        look_at = case
            when failure is null and p.backfill_from is not null then now
            when h.waiting is not null then least(p.look_at, now + interval '1 second')
            else p.look_at
        end,
        run_count = s.run_count + coalesce(f.n, 0),
        last_task_id = coalesce(f.task_id, s.last_task_id),
        error = coalesce(p.error, failure, case when f.n is null then s.error end)
    from unnest(held_ids, held_waiting) as h (id, waiting)
    join jsonb_to_recordset(plans) as p (
        id uuid, next_due_at timestamptz, look_at timestamptz, backfill_from timestamptz, error text
    ) on p.id = h.id
    left join (
        select d.id, max(d.due_at) as due_at
        from jsonb_to_recordset(to_jsonb(decided)) as d (id uuid, due_at timestamptz, kind text)
        where d.kind is null
        group by d.id
    ) as d on d.id = h.id
    left join (
        select u.id, count(*) as n, (array_agg(u.task_id order by u.n desc))[1] as task_id
        from unnest(filled.schedule_ids, filled.task_ids) with ordinality as u (id, task_id, n)
        group by u.id
    ) as f on f.id = h.id
    where s.id = h.id and s.id = any (held_ids);
end
$$;
