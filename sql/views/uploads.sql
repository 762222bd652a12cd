-- Files that clients sent in; size and sha256 are null while a file arrives.
create or replace view pgqueue.uploads as
select
    id,
    name,
    content_type,
    size,
    encode(sha256, 'hex') as sha256,
    case when sha256 is null then 'arriving' else 'there' end as state,
    created_at,
    expires_at
from pgqueue_private.upload;

comment on view pgqueue.uploads is 'Files that clients sent in, for tasks to work on.';
comment on column pgqueue.uploads.id is 'The upload''s id.';
comment on column pgqueue.uploads.name is 'The name of the file; null: it has none.';
comment on column pgqueue.uploads.content_type is 'The media type that the client gave.';
comment on column pgqueue.uploads.size is 'Its size in bytes; null while it arrives.';
comment on column pgqueue.uploads.sha256 is 'The SHA-256 of its content, in hexadecimal; null while it arrives.';
comment on column pgqueue.uploads.state is 'arriving or there.';
comment on column pgqueue.uploads.created_at is 'When it began to arrive.';
comment on column pgqueue.uploads.expires_at is
    'When it is deleted; while it arrives, the time by which it must have arrived.';
