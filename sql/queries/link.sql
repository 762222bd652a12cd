-- What a connection asks about itself: see pgqueue/database.

-- name: meet_session
-- A session that only this connection uses notices within 15 s that its client is gone, and releases its locks.
select
    pg_backend_pid() = %(pid)s as direct,
    case when pg_backend_pid() = %(pid)s then
        set_config('tcp_keepalives_idle', '5', false) || set_config('tcp_keepalives_interval', '3', false)
        || set_config('tcp_keepalives_count', '3', false) || set_config('tcp_user_timeout', '14000', false)
    end as minded,
    -- In a session of our own nothing that the role, the database or the environment sets changes what a statement
    -- means or stores. TimeZone is left as it is: times are compared and stored without it.
    case when pg_backend_pid() = %(pid)s and %(ours)s then
        set_config('search_path', 'pg_catalog', false) || set_config('standard_conforming_strings', 'on', false)
        || set_config('default_transaction_isolation', 'read committed', false)
        || set_config('default_transaction_deferrable', 'off', false)
        || set_config('datestyle', 'ISO', false) || set_config('intervalstyle', 'postgres', false)
        || set_config('extra_float_digits', '1', false) || set_config('bytea_output', 'hex', false)
        || set_config('array_nulls', 'on', false) || set_config('transform_null_equals', 'off', false)
        || set_config('quote_all_identifiers', 'off', false)
    end as pinned;

-- name: begin
begin;

-- name: bound_call
-- For this transaction only. Returns whether it is read-only: on a standby it always is, whatever was asked for.
select
    set_config('statement_timeout', %(statement_ms)s, true),
    set_config('lock_timeout', %(lock_ms)s, true),
    case
        when %(read_only)s then set_config('transaction_read_only', 'on', true)
        else current_setting('transaction_read_only')
    end as read_only;

-- name: commit
commit;

-- name: forget_plans
deallocate all;
