"""The parts of the ``research_agent`` type; see ``research_agent.py`` for the handler."""
