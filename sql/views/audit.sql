-- The audit trail: every change that was asked for over HTTP or by a command for users and keys, newest last.
create or replace view pgqueue.audit as
select
    a.id, pgqueue_private.id_time(a.id) as at, a.user_id, a.actor, a.via, a.key_id, a.action, a.object, a.address, a.status
from pgqueue_private.audit as a;

comment on view pgqueue.audit is 'Who asked for which change: over HTTP, but for submits, and by the commands for users and keys.';
comment on column pgqueue.audit.id is 'The entry''s id: later ones are greater.';
comment on column pgqueue.audit.at is 'When it was asked for, which is before it was made.';
comment on column pgqueue.audit.user_id is 'Who asked; 0: nobody who is known.';
comment on column pgqueue.audit.actor is 'The e-mail address of who asked, or the user of the shell.';
comment on column pgqueue.audit.via is 'How they were known: key, session, password, open or command.';
comment on column pgqueue.audit.key_id is 'The id of the API key; null: it was none.';
comment on column pgqueue.audit.action is 'The operation, such as pause_queue.';
comment on column pgqueue.audit.object is 'The path of what it was about.';
comment on column pgqueue.audit.address is 'The address that the request came from; null: it was a command.';
comment on column pgqueue.audit.status is 'The status of the HTTP answer; null: there was none, or not yet.';
