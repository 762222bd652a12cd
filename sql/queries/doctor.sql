-- What `pgqueue doctor` asks, each topic in a query of its own so that none delays another, and what `pgqueue check`
-- asks.

-- name: examine_settings
select topic, level, finding, advice from pgqueue_private.doctor_settings();

-- name: examine_days
select topic, level, finding, advice from pgqueue_private.doctor_days();

-- name: examine_maintenance
select topic, level, finding, advice from pgqueue_private.doctor_maintenance();

-- name: examine_vacuum
select topic, level, finding, advice from pgqueue_private.doctor_vacuum();

-- name: examine_holders
select topic, level, finding, advice from pgqueue_private.doctor_holders();

-- name: examine_locks
select topic, level, finding, advice from pgqueue_private.doctor_locks();

-- name: examine_waiting
select topic, level, finding, advice from pgqueue_private.doctor_waiting();

-- name: read_clock
select extract(epoch from clock_timestamp())::float8 as server_s;

-- name: check
select topic, subject, detail from pgqueue.check();
