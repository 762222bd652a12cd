"""Handlers that run in a process of their own, so that they can be stopped whatever they do.

worker process ──socket pair──► forker          imports this library once, no app, no thread
      │                            │ fork
      └────────socket pair──► child 1..n        imports the app, runs one attempt after another

A child costs a fork and the app's imports. It has a session of its own, so that what it starts
is killed with it; it dies with the forker, which dies with the worker. A child that was
interrupted, outgrew its memory or broke is never used again.
"""
