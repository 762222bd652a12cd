"""Benchmarks: ``make bench`` compares pgqueue with PgQueuer (docs/bench.md)."""
