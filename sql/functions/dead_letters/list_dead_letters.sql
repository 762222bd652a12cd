-- A page of dead letters, latest failure first. Looks at no more than max_looked of them and then says where to
-- continue (next_at, next_id: null when everything is searched), so a filter that matches little never scans without
-- bound.
create or replace function pgqueue_private.list_dead_letters(
    filter jsonb, place_at timestamptz, place_id uuid, max_rows int, max_looked int default 20000, max_bytes int default 4194304,
    out items text[], out next_at timestamptz, out next_id uuid
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    hits uuid[] := '{}';
    looked int := 0;
    part record;
begin
    next_at := place_at;
    next_id := place_id;
    loop
        select * into part
        from scan_dead_letters(filter, next_at, next_id, false, max_rows - cardinality(hits), greatest(max_rows, 2000));
        hits := hits || part.ids;
        next_at := part.at;
        next_id := part.id;
        looked := looked + part.looked;
        exit when part.ended or cardinality(hits) >= max_rows or looked >= max_looked;
    end loop;
    if part.ended then
        next_at := null;
        next_id := null;
    end if;

    with state as (
        select s.*, sum(octet_length(s.state)) over (order by s.failed_at desc, s.id desc) as bytes
        from dead_letter_states(hits) as s
    ),
    kept as (
        select * from state where bytes <= max_bytes or bytes = octet_length(state)
    )
    select
        coalesce(array_agg(k.state order by k.failed_at desc, k.id desc), '{}'),
        case when count(*) < (select count(*) from state) then min(k.failed_at) else next_at end,
        case when count(*) < (select count(*) from state) then (array_agg(k.id order by k.failed_at, k.id))[1] else next_id end
    into items, next_at, next_id
    from kept as k;
end
$$;
