-- How much may start now by a queue's own limits, in units of cost, and, if that is less than `want`, in how many
-- seconds to ask again (null: not a matter of time, but of a task that ends or of someone who resumes the queue).
-- first: see limit_room(). keyed: its tasks may have keys with limits; fair: keys take turns.
create or replace function pgqueue_private.queue_room(
    queue text, want int default 1,
    out n bigint, out first bigint, out again_s float8, out concurrency int, out rate jsonb, out keyed boolean, out fair boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    settings queue;
begin
    select * into settings from queue as q where q.name = queue_room.queue;
    concurrency := settings.concurrency;
    rate := settings.rate;
    fair := settings.fairness is not null;
    keyed := settings.per_key is not null or exists (
        select from keyed_queue as k
        where k.queue = queue_room.queue and (exists (select from key_limit) or exists (select from key_slowed))
    );
    if settings.paused_at is not null then
        n := 0;
        first := 0;
        return;
    end if;
    select r.n, r.first, r.again_s into n, first, again_s
    from limit_room(queue, '', settings.concurrency, settings.rate, settings.slowed_until, want) as r;
end
$$;
