-- What a connection asks about itself: see pgqueue/database.

-- name: meet_session
-- A session that only this connection uses notices within 15 s that its client is gone, and releases its locks.
select
    pg_backend_pid() = %(pid)s as direct,
    case when pg_backend_pid() = %(pid)s then
        set_config('tcp_keepalives_idle', '5', false) || set_config('tcp_keepalives_interval', '3', false)
        || set_config('tcp_keepalives_count', '3', false) || set_config('tcp_user_timeout', '14000', false)
    end as minded;

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
