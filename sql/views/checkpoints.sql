-- What tasks remember: the results of their steps by name, and (named '') their last checkpoint.
create or replace view pgqueue.checkpoints as
select c.task_id, c.name, c.attempt, c.lease_id, c.at, c.size, c.data
from pgqueue_private.checkpoint as c;

comment on view pgqueue.checkpoints is 'what tasks remember from one attempt to the next';
