-- Raises PQ004 for the first setting of a webhook that is not valid; does nothing if all are.
create or replace function pgqueue_private.webhook_fits(url text, events text[], queues text[], types text[], description text) returns void
language plpgsql immutable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    known constant text[] := array[
        'task.completed', 'task.failed', 'task.cancelled', 'batch.completed', 'batch.failed', 'batch.cancelled',
        'dead_letters.growing', 'dead_letters.settled'
    ];
begin
    if not coalesce(url_fits(url), false) then
        raise exception 'url is not a URL that a webhook can have'
            using errcode = 'PQ004', hint = 'it must be an http or https URL with a host, in ASCII, of at most 2,048 characters';
    end if;
    if coalesce(cardinality(events), 0) = 0 or not events <@ known then
        raise exception 'events must be a list of events that a webhook can have'
            using errcode = 'PQ004', hint = 'one or more of ' || array_to_string(known, ', ');
    end if;
    if
        cardinality(queues) not between 1 and 100 or cardinality(types) not between 1 and 100
        or exists (select from unnest(queues || types) as n where n is null or length(n) not between 1 and 100)
    then
        raise exception 'queues and types must be lists of names or null'
            using errcode = 'PQ004', hint = 'one to 100 names each; null stands for all';
    end if;
    if length(description) > 1000 then
        raise exception 'the description is too long' using errcode = 'PQ004', hint = 'it has 1,000 characters at most';
    end if;
end
$$;
