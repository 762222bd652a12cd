"""``python -m bench``: measure, print a table, and keep the figures as JSON in bench/results/."""

from bench.command import main

main()
