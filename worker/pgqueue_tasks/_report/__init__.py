"""The parts of the ``pdf_report`` type; see ``pdf_report.py`` for the handler."""
