-- A percentile, in seconds, of a histogram as bucket() counts: interpolated within its bucket; null when it is empty.
create or replace function pgqueue_private.percentile(counts bigint[], share float8) returns float8
language sql immutable parallel safe
as $$
    select round((0.0005 * power(2::float8, b.bucket - 1 + (share * t.total - (b.upto - b.n)) / b.n))::numeric, 6)::float8
    from (select sum(c) as total from unnest(counts) as c) as t
    cross join lateral (
        select o.bucket - 1 as bucket, o.n, sum(o.n) over (order by o.bucket) as upto
        from unnest(counts) with ordinality as o (n, bucket)
    ) as b
    where b.n > 0 and b.upto >= share * t.total
    order by b.bucket
    limit 1
$$;
