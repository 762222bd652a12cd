-- What `pgqueue up` asks before it says that all is ready.

-- name: workers_of_supervisor
select count(*) from pgqueue.worker where supervisor = %(supervisor)s and state = 'active';
