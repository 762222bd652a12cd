"""Tools for the tests of code that uses pgqueue: see docs/testing.md.

The fixtures are in the pytest plugin ``pytest_pgqueue``, which is installed with pgqueue.
"""

from pgqueue.testing.assertions import assert_enqueued
from pgqueue.testing.draining import drain
from pgqueue.testing.inline import Inline, Run, inline
from pgqueue.testing.stored import advance, on_database

__all__ = ["Inline", "Run", "advance", "assert_enqueued", "drain", "inline", "on_database"]
