-- Uploads: files that clients send in, for tasks to work on.

-- A file has arrived once its sha256 is set.
create table upload (
    id uuid primary key,
    user_id bigint not null default 0,
    created_at timestamptz not null,
    expires_at timestamptz not null,                -- while it arrives: the time by which it must have arrived
    size bigint,
    name text,
    content_type text not null,
    sha256 bytea,
    constraint upload_name_plain check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    constraint upload_type_plain check (content_type ~ '^[!#-~]{1,127}/[ -~]{1,127}$')
);

create index upload_expiry on upload (expires_at);

-- The contents: pieces of 1 MiB, the last one shorter. A partition a day, which is dropped when no upload of the day is
-- left.
create table upload_chunk (
    upload_id uuid not null,
    n int not null,                                 -- from 0
    data bytea not null,
    primary key (upload_id, n),
    constraint upload_chunk_bound check (octet_length(data) <= 1048576)
) partition by range (upload_id);

-- Compression costs more than it saves here: large files come compressed, or are read once.
alter table upload_chunk alter column data set storage external;
