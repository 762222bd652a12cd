"""The parts of the ``webhook_processing`` type; see ``webhook_processing.py`` for the handler."""
