"""The parts of the ``image_gen`` type; see ``image_gen.py`` for the handler."""
