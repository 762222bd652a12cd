"""The one OpenAI-compatible endpoint that a worker may have, and the requests to it."""
