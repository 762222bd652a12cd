-- Pauses a queue and returns its state: draining while some of its tasks still run (and for the second that a pause
-- may take to reach all claims), then paused. Call it again to see how far it is. Waiting tasks stay; resume() lets
-- them start.
create or replace function pgqueue.drain(queue text, reason text default null, paused_by text default null) returns text
language sql
as $$
    select pgqueue.pause(drain.queue, drain.reason, drain.paused_by);
    select q.state from pgqueue.queues as q where q.name = drain.queue
$$;

comment on function pgqueue.drain is
    'Pauses a queue and returns its state: draining while some of its tasks still run, then paused; call it again to '
    'see how far it is.';
