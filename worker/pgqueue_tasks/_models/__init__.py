"""The one OpenAI-compatible endpoint that a worker may be given, and what it is asked."""
