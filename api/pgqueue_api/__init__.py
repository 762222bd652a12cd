"""The HTTP API of pgqueue."""
