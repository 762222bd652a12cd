"""What handlers report while they run: progress, log lines, text, files, checkpoints, completions.

Calls of a context enter, from the event loop, from a thread or from a child process. Out go calls
to the database: gathered where order and loss allow it, one by one where the handler waits.
"""
