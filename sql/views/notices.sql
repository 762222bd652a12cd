-- What operators should know, one row for each time that it happened.
create or replace view pgqueue.notices as
select n.id, n.at, n.kind, n.queue, n.message, n.data from pgqueue_private.notice as n;

comment on view pgqueue.notices is 'What operators should know, one row for each time that it happened.';
comment on column pgqueue.notices.id is 'The notice''s id: grows with time.';
comment on column pgqueue.notices.at is 'When it happened.';
comment on column pgqueue.notices.kind is 'What kind of thing happened, for programs.';
comment on column pgqueue.notices.queue is 'The queue that it is about; null: not one queue.';
comment on column pgqueue.notices.message is 'What happened, in plain words.';
comment on column pgqueue.notices.data is 'Its figures; which ones depends on the kind.';
