"""The task and what belongs to it: its input, its attempts, its type, and why it waits."""
