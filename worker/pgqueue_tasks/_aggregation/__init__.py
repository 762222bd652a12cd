"""The parts of the ``data_aggregation`` type; see ``data_aggregation.py`` for the handler."""
