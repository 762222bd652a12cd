-- What is wrong, and what to do about it, as far as the database can tell. `pgqueue doctor` adds a few findings.
select topic, level, finding, advice from pgqueue.doctor();
