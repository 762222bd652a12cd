"""Benchmarks: ``make bench`` measures pgqueue beside PgQueuer (docs/bench.md)."""
