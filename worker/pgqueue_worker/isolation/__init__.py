"""Processes for handlers and functions, so that they can be stopped whatever they do.

worker process ──socket pair──► fork server     imports this library once: no app, no thread
      │                            │ fork
      └────────socket pair──► child 1..n

There are two kinds of children. An attempt child imports the app and runs the attempts of types
with ``isolation="process"``, one after another. A function child runs one function, for
``Context.run_isolated``: it begins in an empty folder, with an empty environment and with limits
that it cannot raise, and ends with its function.

A child has a session of its own, so that what it starts is killed with it. It dies with the fork
server, which dies with the worker. A child that was interrupted, exceeded a limit or broke is
never used again.
"""
