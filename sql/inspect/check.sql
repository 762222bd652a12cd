-- Whether all that is stored agrees: nothing when the queue is sound. Reads everything: `pgqueue check` is the same.
select topic, subject, detail from pgqueue.check();
