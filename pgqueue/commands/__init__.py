"""The ``pgqueue`` command: one module for each subcommand that the library brings.

Arguments and ``PGQUEUE_`` settings enter; text for people, or JSON with ``--json``, leaves on
standard output.
"""
