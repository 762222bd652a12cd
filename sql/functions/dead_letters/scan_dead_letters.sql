-- Scans the dead letters that a filter matches (type, queue, fingerprint, from, to, ids: any or none), in the order
-- of their failure, from a position on, and returns at most max_ids, looking at no more than max_looked. The next call
-- continues at (at, id); ended: the scan has reached the end. One of the equalities picks the index, the others are
-- tested.
create or replace function pgqueue_private.scan_dead_letters(
    filter jsonb, place_at timestamptz, place_id uuid, forward boolean, max_ids int, max_looked int,
    failed_before timestamptz default 'infinity',
    out ids uuid[], out at timestamptz, out id uuid, out looked int, out ended boolean
)
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    from_at constant timestamptz := coalesce((filter ->> 'from')::timestamptz, '-infinity');
    to_at constant timestamptz := least((filter ->> 'to')::timestamptz, failed_before);
    by_ids constant boolean := filter ? 'ids';
    lead constant text := case
        when by_ids then null
        when filter ? 'fingerprint' then 'fingerprint'
        when filter ? 'queue' then 'queue'
        when filter ? 'type' then 'type'
    end;
    columns constant text := coalesce('d.' || lead || ', ', '');
    given constant text := coalesce(quote_literal(filter ->> lead) || '::text, ', '');
    backwards constant text := case when forward then '' else ' desc' end;
    taken int;
begin
    -- Order by the leading column, too, although it has one value: only this index has that order, whatever the
    -- statistics say.
    execute format(
        $query$
            with looked as materialized (
                select
                    d.failed_at, d.task_id,
                    ($5 is null or d.queue = $5) and ($6 is null or d.type = $6) and ($7 is null or d.fingerprint = $7) as hit
                from %s
                where (%s d.failed_at, d.task_id) %s (%s $1::timestamptz, $2::uuid) and (%s d.failed_at) %s (%s $3::timestamptz)
                order by %s d.failed_at %s, d.task_id %s
                limit $4
            ),
            counted as (
                select *, row_number() over way as n, sum(hit::int) over way - hit::int as before
                from looked
                window way as (order by failed_at %s, task_id %s rows unbounded preceding)
            ),
            taken as (
                select * from counted where before < $8
            )
            select
                coalesce(array_agg(task_id order by n) filter (where hit), '{}'),
                (array_agg(failed_at order by n desc))[1], (array_agg(task_id order by n desc))[1],
                (select count(*) from looked), count(*)
            from taken
        $query$,
        case when by_ids
            then 'unnest($9) as asked (id) cross join lateral (select * from dead_letter as x where x.task_id = asked.id limit 1) as d'
            else 'dead_letter as d'
        end,
        columns, case when forward then '>' else '<' end, given,
        columns, case when forward then '<' else '>=' end, given,
        case when lead is null then '' else 'd.' || lead || backwards || ', ' end, backwards, backwards,
        backwards, backwards
    )
    into ids, at, id, looked, taken
    using
        coalesce(place_at, case when forward then from_at else to_at end),
        coalesce(place_id, '00000000-0000-0000-0000-000000000000'),
        case when forward then to_at else from_at end,
        max_looked, filter ->> 'queue', filter ->> 'type', filter ->> 'fingerprint', max_ids,
        case when by_ids then array(select i::uuid from jsonb_array_elements_text(filter -> 'ids') as i) end;

    ended := looked < max_looked and taken = looked;
    at := coalesce(at, place_at);
    id := coalesce(id, place_id);
end
$$;
