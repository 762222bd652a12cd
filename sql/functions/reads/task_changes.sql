-- What is new about watched tasks. Each element: id, version (of the known state), lease_id and seq (of the last
-- known log). Returns a row for each task whose state or logs changed: its state if that did, at most max_logs logs,
-- including the pieces of text that its handler streams (log_types: 'log' or 'text'), and where the logs end now.
create or replace function pgqueue_private.task_changes(watched jsonb, max_logs int default 200)
returns table (
    id text, version text, ended boolean, state text, log_leases bigint[], log_seqs int[], log_types text[], logs text[],
    last_lease bigint, last_seq int
)
language plpgsql stable
set search_path = pgqueue_private, pgqueue, pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        t.id::text, t.version, t.status in ('completed', 'failed', 'cancelled'),
        case when t.version is distinct from w.version then (select s.state from task_states(array[t.id]) as s) end,
        l.leases, l.seqs, l.types, l.logs, coalesce(z.lease_id, 0), coalesce(z.seq, 0)
    from jsonb_to_recordset(watched) as w (id uuid, version text, lease_id bigint, seq int)
    cross join lateral (
        select
            v.id, v.status,
            concat_ws(
                '|', v.status, v.attempt, v.lease_id, v.status_reason, v.run_at, v.progress,
                (select f.xmin from task as f where f.id = v.id)  -- a new payload or priority
            ) as version
        from tasks as v
        where v.id = w.id
        limit 1
    ) as t
    cross join lateral (
        select
            array_agg(e.lease_id order by e.lease_id, e.seq) as leases,
            array_agg(e.seq order by e.lease_id, e.seq) as seqs,
            array_agg(e.type order by e.lease_id, e.seq) as types,
            array_agg(case e.type
                when 'text' then text_json(e.task_id, e.lease_id, e.seq, e.at, e.message)
                else log_json(e.task_id, e.lease_id, e.seq, e.at, e.level, e.message, e.data)
            end order by e.lease_id, e.seq) as logs
        from (
            select * from task_event as k
            where k.task_id = w.id and (k.lease_id, k.seq) > (w.lease_id, w.seq)
            order by k.lease_id, k.seq
            limit max_logs
        ) as e
    ) as l
    left join lateral (
        select k.lease_id, k.seq from task_event as k
        where k.task_id = w.id
        order by k.lease_id desc, k.seq desc
        limit 1
    ) as z on true
    where t.version is distinct from w.version or l.seqs is not null;
end
$$;
