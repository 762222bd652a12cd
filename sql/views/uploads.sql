-- Files that clients sent in; size and sha256 are null while one arrives.
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

comment on view pgqueue.uploads is 'files that clients sent in';
