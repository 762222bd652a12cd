-- What tasks remember: the results of their steps by name, and (named '') their last checkpoint.
create or replace view pgqueue.checkpoints as
select c.task_id, c.name, c.attempt, c.lease_id, c.at, c.size, c.data
from pgqueue_private.checkpoint as c;

comment on view pgqueue.checkpoints is 'What tasks remember from one attempt to the next.';
comment on column pgqueue.checkpoints.task_id is 'The task.';
comment on column pgqueue.checkpoints.name is
    'The name of the step whose result this is; empty: the task''s last checkpoint.';
comment on column pgqueue.checkpoints.attempt is 'The attempt that wrote it.';
comment on column pgqueue.checkpoints.lease_id is 'The lease of that attempt.';
comment on column pgqueue.checkpoints.at is 'When it was written.';
comment on column pgqueue.checkpoints.size is 'The size of the data as text, in bytes.';
comment on column pgqueue.checkpoints.data is 'What was remembered.';
