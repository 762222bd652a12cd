-- Which task waits, or waited, for which. waiting: the child is still blocked by this parent.
create or replace view pgqueue.dependencies as
select
    d.child_id,
    d.parent_id,
    d.on_failure,
    b.child_id is not null as waiting
from pgqueue_private.dependency as d
left join pgqueue_private.blocker as b on b.parent_id = d.parent_id and b.child_id = d.child_id;

comment on view pgqueue.dependencies is 'Which task waits, or waited, for which.';
comment on column pgqueue.dependencies.child_id is 'The task that waits.';
comment on column pgqueue.dependencies.parent_id is 'The task that it waits for.';
comment on column pgqueue.dependencies.on_failure is
    'What happens to the child if this parent does not complete: cancel, run or fail.';
comment on column pgqueue.dependencies.waiting is 'Whether the child is still blocked by this parent.';
