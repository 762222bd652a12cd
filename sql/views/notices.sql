-- What people should know of, once each time it happens.
create or replace view pgqueue.notices as
select n.id, n.at, n.kind, n.queue, n.message, n.data from pgqueue_private.notice as n;

comment on view pgqueue.notices is 'what people should know of';
