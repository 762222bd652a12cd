-- Who waits, or waited, for whom. waiting: the child is still blocked by this parent.
create or replace view pgqueue.dependencies as
select
    d.child_id,
    d.parent_id,
    d.on_failure,
    b.child_id is not null as waiting
from pgqueue_private.dependency as d
left join pgqueue_private.blocker as b on b.parent_id = d.parent_id and b.child_id = d.child_id;

comment on view pgqueue.dependencies is 'who waits for whom';
