"""The worker side: a supervisor, its worker processes, and maintenance.

Its packages, from the top: ``supervisor`` keeps worker processes running; ``worker_process`` wires
one together; ``attempts`` claims, runs and finishes; ``isolation`` runs handlers in processes of
their own; ``reports`` sends what handlers report; ``duties`` is maintenance; ``webhooks`` sends
webhooks; ``outbound`` makes requests to hosts that users name.
"""
