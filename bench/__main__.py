"""``python -m bench``: measures, prints a table, saves the figures in bench/results/."""

from bench.command import main

main()
