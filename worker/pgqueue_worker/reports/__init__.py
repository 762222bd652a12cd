"""What handlers report while they run: progress, log lines, text, files, checkpoints, completions.

Calls of a context enter, from the event loop, from a thread or from a child process. Out go calls
to the database: in batches where the handler does not wait, one by one where it does.
"""
