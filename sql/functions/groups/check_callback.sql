-- Raises PQ004 unless this can be enqueued when a batch ends: enqueues it and rolls that back.
create or replace function pgqueue_private.check_callback(callback text, task jsonb) returns void
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    fits boolean := false;
    why text;
    advice text;
begin
    if task is null then
        return;
    end if;
    begin
        if jsonb_typeof(task) <> 'object' or task ->> 'type' is null then
            raise exception 'it has no type' using hint = 'it is an object such as {"type": "report", "payload": {}}';
        elsif task ?| array['depends_on', 'batch_id', 'dedup_key'] then
            raise exception 'it cannot have depends_on, batch_id or dedup_key';
        end if;
        perform enqueue_many(jsonb_build_array(task));
        fits := true;
        raise exception 'taken back';
    exception when others then
        get stacked diagnostics why = message_text, advice = pg_exception_hint;
    end;
    if not fits then
        raise exception '% cannot be enqueued: %', callback, why using errcode = 'PQ004', hint = coalesce(advice, '');
    end if;
end
$$;
