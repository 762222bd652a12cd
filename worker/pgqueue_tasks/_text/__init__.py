"""The parts of the ``text_gen`` type; see ``text_gen.py`` for the handler."""
