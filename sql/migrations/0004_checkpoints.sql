-- What tasks remember from one attempt to the next: the results of their steps, and (named '') their last checkpoint.
-- A fact like the others, partitioned by its task; written again only when an attempt gives a name a newer value.

create table checkpoint (
    task_id uuid not null,
    name text not null,
    lease_id bigint not null,
    user_id bigint not null default 0,
    attempt smallint not null,
    at timestamptz not null,
    size integer not null,                          -- of the data as text, in bytes
    data jsonb not null,
    primary key (task_id, name),
    constraint checkpoint_name_length check (length(name) <= 100),
    constraint checkpoint_data_bounds check (pg_column_size(data) <= 500 or payload_fits(data))
) partition by range (task_id);

-- a day of its own for each day that tasks have
do $$
declare
    day record;
begin
    for day in
        select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bounds
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'pgqueue.task'::regclass
    loop
        execute format(
            'create table pgqueue.%I partition of pgqueue.checkpoint %s', replace(day.name, 'task_', 'checkpoint_'), day.bounds
        );
    end loop;
end
$$;
