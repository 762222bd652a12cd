"""The worker side: supervisor, worker processes, maintenance and the built-in types."""
