-- What holds tasks back. A warning where nobody will take them unless somebody acts; otherwise only a note, with level
-- ok: they wait as they were told to.
create or replace function pgqueue_private.doctor_waiting()
returns table (topic text, level text, finding text, advice text)
language sql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
    select
        'waiting', case when act.advice is null then 'ok' else 'warning' end,
        'task ' || h.task_id || ' of queue ' || h.queue || ' has waited for ' || round(h.waits_s) || ' s: ' || h.message,
        act.advice
    from held_back() as h
    left join (
        values
            ('no_worker', 'start a worker of this queue: pgqueue worker --app module:app'),
            ('no_handler', 'start a worker whose app has this type; until then the task waits, untouched'),
            ('not_taken', 'ask /readyz of the workers: a claim loop may stand still, or notifications may not arrive'),
            ('due', 'start a worker (pgqueue worker): any single worker makes due tasks runnable')
    ) as act (code, advice) on act.code = h.code
$$;
