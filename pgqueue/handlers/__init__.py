"""What a handler works with: its type, context, steps, artifacts, and outcomes to return.

The worker builds these; ``pgqueue.testing`` builds them without a database.
"""
