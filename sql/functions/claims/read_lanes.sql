-- Reads queues and priorities after these positions, at most max_rows tokens of each, up to the first of these types.
-- A row for each element of the arrays, in order: own is the seq of that token (null: none was found), passed the
-- position up to which all tokens are of other types, ended whether there are no more.
-- A worker that knows how far it has passed does not read the tasks of other apps again and again.
create or replace function pgqueue_private.read_lanes(
    queues text[], priorities smallint[], positions bigint[], types text[], max_rows int
)
returns table (own bigint, passed bigint, ended boolean)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    n int;
begin
    for lane in 1..cardinality(queues) loop
        select head.seq into own
        from (
            select r.seq, r.type from ready as r
            where r.queue = queues[lane] and r.priority = priorities[lane] and r.seq > positions[lane]
            order by r.seq
            limit max_rows
        ) as head
        where head.type = any (types)
        limit 1;

        passed := coalesce(own - 1, positions[lane]);
        ended := false;
        if own is null then
            select count(*), coalesce(max(head.seq), positions[lane]) into n, passed
            from (
                select r.seq from ready as r
                where r.queue = queues[lane] and r.priority = priorities[lane] and r.seq > positions[lane]
                order by r.seq
                limit max_rows
            ) as head;
            ended := n < max_rows;
        end if;
        return next;
    end loop;
end
$$;
