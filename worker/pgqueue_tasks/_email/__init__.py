"""The parts of the ``email_campaign`` type; see ``email_campaign.py`` for the handler."""
