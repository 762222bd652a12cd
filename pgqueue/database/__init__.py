"""Connections to PostgreSQL, the named queries, and the migrations of the schema.

Names of queries and their parameters enter; rows leave, or errors of ``pgqueue.errors``. Every wait
has a limit.

- ``Link`` is one connection that reconnects, ``Pool`` is several of them, ``Listener`` is one that
  listens. ``Options`` says what a link promises.
- Who reconnects? The link, once, when a call needs it. A pool with ``retries`` tries until its
``wait_s`` is over; a listener tries for ever.
- Who bounds a wait? PostgreSQL ends statements and lock waits by the ``Timeouts``. The connection
  ends a wait for a server that does not answer. The pool ends a wait for a free link.
- Who notices a dead server? TCP, within 15 s, if it is gone; the link, before each call, if the
  server has closed the connection; ``answer_s`` if it hangs.
- Who leaves a server that takes no writes any more? The link, after the call that found this out;
its pool closes the idle ones.
- Who prepares statements? The connection, from the first use on, unless a pooler stands between.
- Who replaces statements that a migration outdated? The link: it prepares them again and repeats
the call.
- Who cleans up after a caller that was cancelled? The link: it closes the connection.

Handlers' transactions run on connections of psycopg_pool: see
``pgqueue_worker.reports.transaction_pools``.
"""
