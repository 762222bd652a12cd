-- The audit trail: who asked for which change, from where, and how it was answered.
--
-- A row is inserted before the change is made, so that no change is without one. It has a status once the change was
-- answered; without one, the server stopped first. Nothing else of a row ever changes, and rows leave only with their
-- month.

create table audit (
    id uuid not null,                               -- a UUIDv7: when it was asked for
    user_id bigint not null,                        -- 0: nobody in particular
    status smallint,                                -- of the HTTP answer
    actor text not null,                            -- an e-mail address, or whoever ran a command
    via text not null,                              -- key, session, open, command or password
    key_id text,
    action text not null,                           -- the operation, such as pause_queue
    object text not null,                           -- the path, or what the command was about
    address text,                                   -- of the client
    primary key (id)
) partition by range (id);

create index audit_user on audit (user_id, id);
create index audit_action on audit (action, id);
