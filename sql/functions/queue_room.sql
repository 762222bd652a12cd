-- How many tasks of a queue may start now by its limits, and if none may, in how many seconds one may (null: not a matter of
-- time, but of a task that ends or of someone who resumes it). rated: its starts are to be recorded; fair: keys take turns.
create or replace function pgqueue.queue_room(queue text, out n int, out again_s float8, out rated boolean, out fair boolean)
language plpgsql
set search_path = pgqueue, pg_catalog, pg_temp
set enable_seqscan = off
set jit = off  -- before 18 a plan that must do what is set off "costs" 10¹⁰, so every call would be compiled: 3 s
as $$
#variable_conflict use_column
declare
    now constant timestamptz := pgqueue.clock();
    settings queue;
    rate record;
    used bigint;
begin
    select * into settings from queue as q where q.name = queue_room.queue;
    rated := settings.rate is not null;
    fair := settings.fairness is not null;
    n := 1000000;
    if settings.paused_at is not null then
        n := 0;
        return;
    end if;

    if settings.concurrency is not null then
        n := settings.concurrency - (select count(*) from slot as s where s.queue = queue_room.queue);
        if n <= 0 then
            return;
        end if;
    end if;

    for rate in
        select r.count, r.per_seconds * interval '1 second' as span
        from jsonb_to_recordset(coalesce(settings.rate, '[]')) as r (count int, per_seconds float8)
    loop
        select coalesce(sum(s.n), 0) into used from started as s where s.queue = queue_room.queue and s.at > now - rate.span;
        n := least(n, rate.count - used);
        if used >= rate.count then
            select greatest(again_s, extract(epoch from s.at + rate.span - now)) into again_s
            from started as s
            where s.queue = queue_room.queue and s.at > now - rate.span
            order by s.at
            limit 1;
        end if;
    end loop;
end
$$;
