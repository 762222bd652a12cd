-- The ids of a batch and of all batches inside it, in order.
create or replace function pgqueue_private.batches_under(id uuid) returns uuid[]
language sql stable
as $$
    with recursive under as (
        select b.id from pgqueue_private.batch as b where b.id = batches_under.id
        union all
        select b.id from under as u join pgqueue_private.batch as b on b.parent_id = u.id
    )
    select array_agg(u.id order by u.id) from under as u
$$;
