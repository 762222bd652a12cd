-- Reads the facts from high down to low for matches, until it has found a page of them or the deadline passes, and
-- returns how far it got: every match at or above reached is among the hits.
-- filter: as matching_tasks() takes it.
create or replace function pgqueue_private.search_facts(
    filter jsonb, low uuid, high uuid, max_ids int, deadline timestamptz, out hits uuid[], out reached uuid
)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    chunk constant int := 500;                  -- facts between two checks of the clock: about 2 ms
    looked uuid[];
begin
    hits := '{}';
    reached := high;
    loop
        looked := array(
            select f.id from task as f where f.id >= low and f.id < reached order by f.id desc limit chunk
        );
        hits := hits || matching_tasks(looked, filter, max_ids - cardinality(hits));
        if cardinality(hits) >= max_ids then
            reached := hits[max_ids];
            return;
        end if;
        if cardinality(looked) < chunk then
            reached := low;
            return;
        end if;
        reached := looked[chunk];
        exit when clock_timestamp() > deadline;
    end loop;
end
$$;
