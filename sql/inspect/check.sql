-- Inconsistencies in everything that is stored: none when the queue is sound. Reads everything: `pgqueue check` does
-- the same.
select topic, subject, detail from pgqueue.check();
