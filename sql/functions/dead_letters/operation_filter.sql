-- The filter of an operation as it is stored and used: only known keys, times in UTC, no nulls. Raises PQ004 for a
-- filter that is not valid. A filter that matches everything has to say so: {"all": true}.
create or replace function pgqueue_private.operation_filter(kind text, filter jsonb) returns jsonb
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    given constant jsonb := case when jsonb_typeof(filter) = 'object' then jsonb_strip_nulls(filter) end;
    known constant text[] := array['type', 'queue', 'from', 'to', 'ids', 'all']
        || case kind when 'cancel' then array['status', 'batch_id'] when 'retry' then array['batch_id'] when 'redrive' then array['fingerprint'] when 'delete' then array['fingerprint'] end;
    wrong text;
    key text;
    ids uuid[];
begin
    if kind is null or kind not in ('redrive', 'cancel', 'delete', 'retry') then
        raise exception 'there is no operation of kind %', kind
            using errcode = 'PQ004', hint = 'redrive and delete work on dead letters, cancel on tasks, retry on those of a batch';
    end if;
    select string_agg(k, ', ' order by k) into wrong from jsonb_object_keys(given) as k where k <> all (known);
    if given is null or wrong is not null then
        raise exception 'the filter of % cannot have %', kind, coalesce(wrong, 'a value that is not an object')
            using errcode = 'PQ004', hint = 'it is an object with some of ' || array_to_string(known, ', ');
    end if;
    if given = '{}' then
        raise exception 'an empty filter matches everything'
            using errcode = 'PQ004', hint = 'if that is what you want, say {"all": true}';
    end if;
    if given ? 'all' and given <> '{"all": true}' then
        raise exception 'all must be true and the only key of the filter' using errcode = 'PQ004', hint = 'remove it, or the rest of the filter';
    end if;
    if (given ? 'batch_id' and given - 'batch_id' <> '{}') or (kind = 'retry' and not given ? 'batch_id') then
        raise exception 'batch_id must be the only key of the filter, and retry needs it'
            using errcode = 'PQ004', hint = 'such as {"batch_id": "…"}';
    elsif given ? 'batch_id' and not exists (select from batch as b where b.id = (given ->> 'batch_id')::uuid) then
        raise exception 'there is no batch %', given ->> 'batch_id' using errcode = 'PQ002';
    end if;
    foreach key in array array['type', 'queue', 'fingerprint', 'from', 'to'] loop
        if given ? key and (jsonb_typeof(given -> key) <> 'string' or length(given ->> key) not between 1 and 100) then
            raise exception '% must be a text of 1 to 100 characters', key using errcode = 'PQ004';
        end if;
    end loop;
    if given ? 'status' and (given ->> 'status') not in ('queued', 'scheduled', 'retrying', 'blocked', 'active') then
        raise exception 'no task in status % can be cancelled', given ->> 'status'
            using errcode = 'PQ004', hint = 'it is queued, scheduled, retrying, blocked or active';
    end if;
    if given ? 'ids' then
        if jsonb_typeof(given -> 'ids') <> 'array' or jsonb_array_length(given -> 'ids') not between 1 and 1000 then
            raise exception 'ids must be a list of 1 to 1,000 ids'
                using errcode = 'PQ004', hint = 'start several operations, or filter by something else';
        end if;
        ids := array(select distinct i::uuid from jsonb_array_elements_text(given -> 'ids') as i order by 1);
    end if;
    return given || jsonb_strip_nulls(jsonb_build_object(
        'from', json_time((given ->> 'from')::timestamptz), 'to', json_time((given ->> 'to')::timestamptz), 'ids', to_jsonb(ids)
    ));
end
$$;
