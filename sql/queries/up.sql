-- What `pgqueue up` asks before it reports that everything is ready.

-- name: workers_of_supervisor
select count(*) from pgqueue_private.worker where supervisor = %(supervisor)s and state = 'active';
