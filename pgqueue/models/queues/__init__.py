"""The queue and what belongs to it: its limits, its retention, its workers and statistics."""
