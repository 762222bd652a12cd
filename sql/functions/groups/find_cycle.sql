-- Returns positions that wait for each other, the first again at the end; null where there is no cycle. children[n]
-- waits for parents[n]; null: not in this request.
create or replace function pgqueue_private.find_cycle(children int[], parents int[]) returns int[]
language plpgsql immutable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    edges constant int := cardinality(children);
    size int;
    first_edge int[];                               -- of each position; its others follow by next_edge
    next_edge int[];
    states int[];                                   -- null: not seen; 1: on the path; 2: no cycle from here
    way int[] := '{}';                              -- the path, up to depth
    depth int;
    at int;
    edge int;
    parent int;
begin
    -- A task that waits only for tasks before it cannot be part of a cycle.
    if not exists (select from unnest(children, parents) as u (c, p) where p >= c) then
        return null;
    end if;
    select greatest(max(c), max(p)) into size from unnest(children, parents) as u (c, p);
    first_edge := array_fill(null::int, array[size]);
    states := array_fill(0, array[size]);
    next_edge := array_fill(null::int, array[edges]);
    way := array_fill(0, array[size]);
    for n in 1..edges loop
        if parents[n] is not null then
            next_edge[n] := first_edge[children[n]];
            first_edge[children[n]] := n;
        end if;
    end loop;

    for start in 1..size loop
        continue when states[start] <> 0;
        depth := 1;
        way[1] := start;
        states[start] := 1;
        while depth > 0 loop
            at := way[depth];
            edge := first_edge[at];
            if edge is null then
                states[at] := 2;
                depth := depth - 1;
                continue;
            end if;
            first_edge[at] := next_edge[edge];
            parent := parents[edge];
            if states[parent] = 1 then
                return way[array_position(way, parent):depth] || parent;
            elsif states[parent] = 0 then
                states[parent] := 1;
                depth := depth + 1;
                way[depth] := parent;
            end if;
        end loop;
    end loop;
    return null;
end
$$;
