-- How many rows the planner expects of a statement: an estimate from its statistics, at the cost of planning.
create or replace function pgqueue_private.planned_rows(statement text) returns bigint
language plpgsql
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
declare
    plan json;
begin
    execute 'explain (format json) ' || statement into plan;
    return (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8;
end
$$;
